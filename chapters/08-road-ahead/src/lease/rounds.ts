/** Two holders as processes on a real store. In each round, one of them is paused past the end of its lease. */
import { within } from '@repo/common/async/until'
import { ask } from '@repo/common/process/ask'
import { startChildren } from '@repo/common/process/children'
import type { Outcome } from './holder.ts'
import type { Place } from './lease.ts'
import type { Mistake } from './mistakes.ts'
import { machineMs, startClient, stores } from './stores.ts'

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

/** What happened in all rounds. */
export interface Tally {
  /** Rounds in which both held the lock at the same time. */
  both: number
  /** Writes that the store acknowledged and does not have, and those that it refused. */
  lost: number
  refused: number
  /** Rounds in which the lock was given to another while the lease of its holder was running. */
  givenTwice: number
}

/**
 * Runs the rounds with a lock of their own. All processes are stopped at the end.
 *
 * @throws an Error of one line, if a round takes too long or a process ends by itself
 */
export async function runRounds(
  place: Place,
  { rounds, leaseMs, mistake, signal, onRound }: RoundsOptions,
): Promise<Tally> {
  const lock = mistake ?? 'correct'
  // A round takes little more than a lease, if the store answers.
  const timeoutMs = 30_000 + 3 * leaseMs
  await using clients = await startChildren(['p', 'q'], () => startClient(place, signal))
  await using connection = await stores[place.store].connect(place)
  const [p, q] = [clients.get('p'), clients.get('q')]
  const tally: Tally = { both: 0, lost: 0, refused: 0, givenTwice: 0 }

  async function play(round: number) {
    const add = (name: string): Add => ({ item: `${name}${round}`, lock, leaseMs, mistake })
    // #region round
    await ask(p, add('p'), signal)
    p.process.kill('SIGSTOP')
    const [first] = await Promise.all([
      // It finds this when it goes on.
      ask<Held>(p, 'write', signal),
      // q gets the lock when the lease of p has run out.
      ask(q, add('q'), signal).finally(() => p.process.kill('SIGCONT')),
    ])
    // p has freed the lock, perhaps not its own. Does the next one get it, although q has it?
    const next = await connection.ask(lock, { do: 'take', by: 'next', ms: leaseMs })
    const nextMs = machineMs()
    if (next.isDone) await connection.ask(lock, { do: 'release', by: 'next', compares: true })
    const second = await ask<Held>(q, 'write', signal)
    // #endregion round
    const { value = '' } = await connection.ask(lock, { do: 'read', token: undefined })
    for (const { item, outcome } of [first, second]) {
      if (outcome === 'refused') tally.refused++
      if (outcome === 'written' && !value.split(' ').includes(item)) tally.lost++
    }
    if (first.untilMs > second.fromMs) tally.both++
    if (next.isDone && nextMs < second.fromMs + leaseMs) tally.givenTwice++
  }

  for (let round = 1; round <= rounds; round++) {
    const isOver = await within(timeoutMs, () => play(round), signal)
    if (!isOver) throw new Error(`no answer from ${place.store} for ${timeoutMs / 1_000} s`)
    onRound?.(round)
  }
  return tally
}
