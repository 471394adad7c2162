/** Two holders as processes on a real store. In each round, one of them is paused past the end of its lease. */
import { after } from '@repo/common/async/timer'
import { ask } from '@repo/common/process/ask'
import { startProgram } from '@repo/common/process/child'
import { startChildren } from '@repo/common/process/children'
import type { Address } from '../lease/lease.ts'
import { type StoreName, stores } from '../lease/stores.ts'
import type { Mistake, Outcome } from './holder.ts'

export interface LiveOptions {
  store: StoreName
  address: Address
  rounds: number
  leaseMs: number
  mistake: Mistake | undefined
  signal?: AbortSignal | undefined
  onRound?: (done: number) => void
}

/** What a holder process is told. */
export interface Settings extends Pick<LiveOptions, 'store' | 'address' | 'leaseMs' | 'mistake'> {
  name: string
  lock: string
}

/** What it reports: from when until when it took itself for the holder, and whether it got the lock again right afterwards. */
export interface Held {
  item: string
  outcome: Outcome
  fromMs: number
  untilMs: number
  isBackIn: boolean
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
export async function runLive(options: LiveOptions): Promise<Tally> {
  const { store, address, rounds, leaseMs, mistake, onRound } = options
  // A round takes little more than a lease, if the store answers.
  const timeoutMs = 30_000 + 3 * leaseMs
  const tooLong = new AbortController()
  const signal = AbortSignal.any([tooLong.signal, ...(options.signal ? [options.signal] : [])])
  const lock = mistake ?? 'correct'
  await using holders = await startChildren(['p', 'q'], (name) => {
    const settings: Settings = { name, store, address, lock, leaseMs, mistake }
    const env = { SETTINGS: JSON.stringify(settings) }
    return startProgram(new URL('./holder.program.ts', import.meta.url), { env, signal })
  })
  await using connection = await stores[store].connect(address)
  const [p, q] = [holders.get('p'), holders.get('q')]
  const tally: Tally = { both: 0, lost: 0, refused: 0, givenTwice: 0 }
  for (let round = 1; round <= rounds; round++) {
    using _limit = after(timeoutMs, () =>
      tooLong.abort(new Error(`no answer from ${store} for ${timeoutMs / 1_000} s`)),
    )
    // #region round
    await ask(p, 'take the lock', signal)
    p.process.kill('SIGSTOP')
    const [first] = await Promise.all([
      // It finds this when it goes on.
      ask<Held>(p, 'write', signal),
      // q gets the lock when the lease of p has run out.
      ask(q, 'take the lock', signal).finally(() => p.process.kill('SIGCONT')),
    ])
    const second = await ask<Held>(q, 'write', signal)
    // #endregion round
    const { value = '' } = await connection.ask(lock, { do: 'read', token: undefined })
    for (const { item, outcome } of [first, second]) {
      if (outcome === 'refused') tally.refused++
      if (outcome === 'written' && !value.split(' ').includes(item)) tally.lost++
    }
    if (first.untilMs > second.fromMs) tally.both++
    if (first.isBackIn && first.untilMs < second.fromMs + leaseMs) tally.givenTwice++
    onRound?.(round)
  }
  return tally
}
