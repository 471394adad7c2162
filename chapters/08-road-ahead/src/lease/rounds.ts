/** Two holders as processes on a real store. In each round, one of them is paused past the end of its lease. */
import { within } from '@repo/common/async/until'
import { ask } from '@repo/common/process/ask'
import { startChildren } from '@repo/common/process/children'
import type { Outcome } from './holder.ts'
import type { Place } from './lease.ts'
import type { Mistake } from './mistakes.ts'
import { startClient, stores } from './stores.ts'

/** Tells a client to add an item under a lock, whose document has the same name. */
export interface Add {
  item: string
  lock: string
  leaseMs: number
  mistake: Mistake | undefined
}

/** What it reports: from when until when it took itself for the holder. */
export interface Held {
  item: string
  outcome: Outcome
  fromMs: number
  untilMs: number
}

export interface RoundsOptions extends Pick<Add, 'leaseMs' | 'mistake'> {
  rounds: number
  signal?: AbortSignal | undefined
  onRound?: (done: number) => void
}

/** The lease of the second holder does not run out, however busy the machine is: no round may take as long. */
const longMs = 600_000
/** On a busy machine the first holder may be late before it is paused. Then the round shows nothing, and is played again. */
const mostLate = 20

/**
 * Runs the rounds with a lock of their own. All processes are stopped at the end.
 *
 * @returns what happened in all rounds
 * @throws an Error of one line, if a round takes too long, a process ends by itself, or the lease is too short for this
 *   machine
 */
export async function runRounds(place: Place, { rounds, leaseMs, mistake, signal, onRound }: RoundsOptions) {
  const lock = mistake ?? 'correct'
  // A round takes little more than a lease, if the store answers.
  const timeoutMs = 30_000 + 3 * leaseMs
  await using clients = await startChildren(['p', 'q'], () => startClient(place, signal))
  await using connection = await stores[place.store].connect(place)
  const [p, q] = [clients.get('p'), clients.get('q')]
  const tally = {
    /** Rounds in which both held the lock at the same time. */
    both: 0,
    /** Writes that the store acknowledged and does not have, and those that it refused. */
    lost: 0,
    refused: 0,
    /** Rounds in which the lock was given to another while the lease of its holder was running. */
    givenTwice: 0,
  }

  /** Returns false if the first holder was late before it was paused. */
  async function play(round: string): Promise<boolean> {
    const add = (name: string, leaseMs: number): Add => ({ item: `${name}${round}`, lock, leaseMs, mistake })
    // #region round
    if ((await ask(p, add('p', leaseMs), signal)) !== 'ready') return false
    p.process.kill('SIGSTOP')
    const [first] = await Promise.all([
      // It finds this when it goes on.
      ask<Held>(p, 'write', signal),
      // q gets the lock when the lease of p has run out.
      ask(q, add('q', longMs), signal).finally(() => p.process.kill('SIGCONT')),
    ])
    // p has freed the lock, perhaps not its own. Does the next one get it, although q has it?
    const next = await connection.ask(lock, { do: 'take', by: 'next', ms: leaseMs })
    if (next.isDone) await connection.ask(lock, { do: 'release', by: 'next', compares: true })
    const second = await ask<Held>(q, 'write', signal)
    // #endregion round
    const { value = '' } = await connection.ask(lock, { do: 'read', token: undefined })
    for (const { item, outcome } of [first, second]) {
      if (outcome === 'refused') tally.refused++
      if (outcome === 'written' && !value.split(' ').includes(item)) tally.lost++
    }
    if (first.untilMs > second.fromMs) tally.both++
    if (next.isDone) tally.givenTwice++
    return true
  }

  let late = 0
  for (let round = 1; round <= rounds; ) {
    const played = await within(timeoutMs, () => play(`${round}${"'".repeat(late)}`), signal)
    if (!played) throw new Error(`no answer from ${place.store} for ${timeoutMs / 1_000} s`)
    if (played.value) onRound?.(round++)
    else if (++late === mostLate)
      throw new Error(`a lease of ${leaseMs} ms is too short: a holder was late ${late} times`)
  }
  return tally
}
