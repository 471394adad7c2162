/** Three candidates as processes on a real store, and what befalls the one that leads. */
import { sleep } from '@repo/common/async/timer'
import { until } from '@repo/common/async/until'
import { startChildren } from '@repo/common/process/children'
import { startProxy } from '@repo/common/servers/proxy'
import { findTroubles, type Term, type Trouble } from './leaders.ts'
import type { Place } from './lease.ts'
import { machineMs, startClient } from './stores.ts'

/** An election: how long its lease lasts, and how often candidates ask for it. */
export interface Election {
  leaseMs: number
  everyMs: number
}

/** What befalls the process that leads, which is `a`. */
export interface Fault {
  name: string
  strike: 'killed' | 'paused' | 'cut off' | 'nothing'
  /** How fast its clock runs: 0.5 is half as fast as the machine's. And the drift that it allows for. */
  pace: number
  drift: number
}

/** Tells a client to stand in elections, each with a lock of its own, and in no others. */
export interface Stand extends Pick<Fault, 'name' | 'pace' | 'drift'> {
  elections: (Election & { lock: string })[]
}

/** A candidate began, or ceased, to take itself for the leader, by the machine's clock. */
export interface Report {
  lock: string
  leads: boolean
  atMs: number
  /** When it looked before: until then it was what it was. Later than usual, if it was paused or had no core in between. */
  lookedMs: number
}

/** A term, and when its candidate last looked and still took itself for the leader. */
export interface Led extends Term {
  lookedMs: number
}

/** What was seen of an election until there was one leader again. Times are from the strike. */
export interface Outcome {
  election: Election
  terms: Led[]
  troubles: Trouble[]
  /** When the process that was struck went on; 0 if it was not paused. */
  awakeMs: number
}

/** How often `a` may lose its lease before it is struck. */
const mostTries = 10

export interface FaultsOptions {
  elections: readonly Election[]
  pauseMs: number
  signal?: AbortSignal | undefined
  onFault?: (name: string, done: number) => void
}

/**
 * Starts three candidates, which stand in several elections at the same time. Strikes their leader with one fault after the
 * other, and waits each time until every election has one leader again. All processes are stopped at the end.
 *
 * @returns for each fault, the outcome of each election
 * @throws an Error of one line if that takes too long
 */
export async function runFaults(
  place: Place,
  faults: readonly Fault[],
  { elections, pauseMs, signal, onFault }: FaultsOptions,
) {
  /** Of each lock of the elections that go on. */
  let terms = new Map<string, Led[]>()
  const ever = Number.POSITIVE_INFINITY
  const isOpen = ({ toMs }: Led) => toMs === ever
  function hear(name: string, { lock, leads, atMs, lookedMs }: Report) {
    const own = terms.get(lock) ?? []
    if (leads) own.push({ name, fromMs: atMs, toMs: ever, lookedMs: ever })
    else for (const term of own.filter(isOpen)) if (term.name === name) Object.assign(term, { toMs: atMs, lookedMs })
  }
  /** Returns who leads each election, undefined where that is nobody or more than one. */
  const leaders = () =>
    [...terms.values()].map((own) => {
      const [first, ...others] = own.filter(isOpen)
      return others.length === 0 ? first?.name : undefined
    })
  // Through this, `a` reaches the store, until it is cut off.
  await using line = await startProxy({ port: place.port })
  await using clients = await startChildren(['a', 'b', 'c'], async (name) => {
    const client = await startClient(name === 'a' ? { ...place, port: line.port } : place, signal)
    client.process.on('message', (report: Report) => hear(name, report))
    return client
  })
  const longest = (time: keyof Election) => Math.max(...elections.map((election) => election[time]))
  const timeoutMs = 30_000 + 4 * longest('leaseMs')

  async function run(fault: Fault, tries = 1): Promise<Outcome[]> {
    const { strike, pace, drift } = fault
    const own = elections.map((election, at) => ({ ...election, lock: `${fault.name} ${at} ${tries}` }))
    terms = new Map(own.map(({ lock }) => [lock, []]))
    const stand = (name: string, clock: Pick<Fault, 'pace' | 'drift'>) =>
      clients.get(name).process.send({ name, ...clock, elections: own } satisfies Stand)
    stand('a', { pace, drift })
    await until(() => leaders().every((name) => name === 'a'), { signal, timeoutMs, what: 'a leads' })
    for (const name of ['b', 'c']) stand(name, { pace: 1, drift: 0.05 })
    // The strike may come at any time between two questions.
    await sleep(longest('everyMs') * Math.random(), signal)
    // On a busy machine it may have lost its lease by itself.
    if (leaders().some((name) => name !== 'a') && tries < mostTries) return await run(fault, tries + 1)

    const a = clients.get('a')
    const strikeMs = machineMs()
    if (strike === 'killed') {
      await a.kill()
      for (const { lock } of own) hear('a', { lock, leads: false, atMs: strikeMs, lookedMs: strikeMs })
    } else if (strike === 'paused') {
      a.process.kill('SIGSTOP')
      await sleep(pauseMs, signal).finally(() => a.process.kill('SIGCONT'))
    } else if (strike === 'cut off') line.block()
    else await sleep(longest('leaseMs'), signal)
    const awakeMs = strike === 'paused' ? machineMs() - strikeMs : 0
    // What was sent has arrived after this time.
    await sleep(100, signal)
    const isReplaced = strike === 'killed' || strike === 'cut off'
    const isOver = () => leaders().every((name) => name !== undefined && !(isReplaced && name === 'a'))
    await until(isOver, { signal, timeoutMs, what: 'each election has one leader again' })
    const endMs = machineMs() - strikeMs
    const seenMs = (ms: number) => Math.min(endMs, ms - strikeMs)
    line.heal()
    if (strike === 'killed') await clients.restart('a')
    return own.map(({ lock, ...election }) => {
      const seen = (terms.get(lock) ?? []).map(({ name, fromMs, toMs, lookedMs }): Led => {
        return { name, fromMs: seenMs(fromMs), toMs: seenMs(toMs), lookedMs: seenMs(lookedMs) }
      })
      return { election, terms: seen, troubles: findTroubles(seen, endMs), awakeMs }
    })
  }

  // One after the other.
  return await Array.fromAsync(faults, async (fault, done) => {
    onFault?.(fault.name, done)
    return await run(fault)
  })
}
