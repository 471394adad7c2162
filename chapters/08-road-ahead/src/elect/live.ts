/** Three candidates as processes on a real store, and what befalls the one that leads. */
import { sleep } from '@repo/common/async/timer'
import { until } from '@repo/common/async/until'
import { startProgram } from '@repo/common/process/child'
import { startChildren } from '@repo/common/process/children'
import { startProxy } from '@repo/common/servers/proxy'
import { type Address, machineMs } from '../lease/lease.ts'
import type { StoreName } from '../lease/stores.ts'
import { findTroubles, type Term, type Trouble } from './leaders.ts'

/** What a candidate process is told. */
export interface Settings {
  name: string
  store: StoreName
  address: Address
  /** How fast its clock runs: 0.5 is half as fast as the machine's. And the drift that it allows for. */
  pace: number
  drift: number
}

/** The same three candidates stand in several elections at the same time. */
export interface Election {
  id: string
  leaseMs: number
  /** The time between two questions to the store. */
  everyMs: number
}

/** A candidate began, or ceased, to take itself for the leader, by the machine's clock. */
export interface Report {
  id: string
  leads: boolean
  atMs: number
}

/** What befalls the process that leads, which is `a`. */
export interface Fault {
  name: string
  strike: 'killed' | 'paused' | 'cut off' | 'nothing'
  pace: number
  drift: number
}

/** What was seen of an election until there was one leader again. Times are from the strike. */
export interface Outcome {
  election: Election
  terms: Term[]
  troubles: Trouble[]
  /** When the process that was struck went on; 0 if it was not paused. */
  awakeMs: number
}

export interface FaultOptions {
  elections: readonly Election[]
  pauseMs: number
  signal?: AbortSignal | undefined
}

/**
 * Starts three candidates, strikes the leader, and waits until each election has one leader again. All processes are
 * stopped at the end.
 *
 * @throws an Error of one line if that takes too long, or a process ends by itself
 */
export async function runFault(
  { store, address }: { store: StoreName; address: Address },
  { strike, pace, drift }: Fault,
  { elections, pauseMs, signal }: FaultOptions,
): Promise<Outcome[]> {
  const terms = new Map(elections.map(({ id }): [string, Term[]] => [id, []]))
  const termsOf = (id: string) => terms.get(id) ?? []
  const leadersOf = (id: string) => termsOf(id).filter(({ toMs }) => toMs === Number.POSITIVE_INFINITY)
  function hear(name: string, { id, leads, atMs }: Report) {
    if (leads) termsOf(id).push({ name, fromMs: atMs, toMs: Number.POSITIVE_INFINITY })
    else for (const term of leadersOf(id)) if (term.name === name) term.toMs = atMs
  }
  // Through this, `a` reaches the store, until it is cut off.
  await using line = await startProxy({ port: address.port })
  await using candidates = await startChildren(['a', 'b', 'c'], async (name) => {
    const usual: Settings = { name, store, address, pace: 1, drift: 0.05 }
    const struck: Settings = { name, store, address: { port: line.port, password: address.password }, pace, drift }
    const env = { SETTINGS: JSON.stringify(name === 'a' ? struck : usual) }
    const program = await startProgram(new URL('./candidate.program.ts', import.meta.url), { env, signal })
    program.process.on('message', (report: Report) => hear(name, report))
    return program
  })
  const stand = (name: string) => candidates.get(name).process.send(elections)
  const a = candidates.get('a')
  const longest = (time: 'leaseMs' | 'everyMs') => Math.max(...elections.map((election) => election[time]))
  const timeoutMs = 30_000 + 4 * longest('leaseMs')
  stand('a')
  const allLed = () => elections.every(({ id }) => leadersOf(id).length === 1)
  await until(allLed, { signal, timeoutMs, what: 'a leads' })
  stand('b')
  stand('c')
  // The strike may come at any time between two questions.
  await sleep(longest('everyMs') * Math.random(), signal)

  const strikeMs = machineMs()
  if (strike === 'killed') {
    await a.kill()
    for (const { id } of elections) hear('a', { id, leads: false, atMs: strikeMs })
  } else if (strike === 'paused') {
    a.process.kill('SIGSTOP')
    await sleep(pauseMs, signal).finally(() => a.process.kill('SIGCONT'))
  } else if (strike === 'cut off') line.block()
  else await sleep(longest('leaseMs'), signal)
  const awakeMs = strike === 'paused' ? machineMs() - strikeMs : 0
  // What was sent has arrived after this time.
  await sleep(100, signal)
  const isReplaced = strike === 'killed' || strike === 'cut off'
  const isOver = () => allLed() && !(isReplaced && elections.some(({ id }) => leadersOf(id)[0]?.name === 'a'))
  await until(isOver, { signal, timeoutMs, what: 'each election has one leader again' })
  const toMs = machineMs() - strikeMs

  return elections.map((election) => {
    const own = termsOf(election.id).map(({ name, ...term }): Term => {
      return { name, fromMs: term.fromMs - strikeMs, toMs: Math.min(toMs, term.toMs - strikeMs) }
    })
    return { election, terms: own, troubles: findTroubles(own, 0, toMs), awakeMs }
  })
}
