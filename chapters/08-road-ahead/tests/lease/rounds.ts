/** What must come out when processes use the lock on a real store. */
import { expect } from 'vitest'
import type { StoreName } from '../../src/lease/lease.ts'
import { runRounds } from '../../src/lease/rounds.ts'
import { stores } from '../../src/lease/stores.ts'

/** Runs two rounds and expects what a paused holder does to each version. */
export async function expectRounds(store: StoreName, leaseMs: number) {
  const rounds = 2
  const mistakes = ['checks its clock', 'no token on reads', 'frees any lock', undefined] as const
  await using running = await stores[store].start()
  const done: number[] = []
  const tallies = await Promise.all(
    mistakes.map((mistake) =>
      runRounds(running.place, { rounds, leaseMs, mistake, onRound: (round) => done.push(round) }),
    ),
  )
  expect(done.toSorted()).toEqual([1, 1, 1, 1, 2, 2, 2, 2])
  const [clock, reads, frees, correct] = tallies
  for (const tally of tallies) expect(tally).toMatchObject({ both: rounds })
  expect(clock).toMatchObject({ lost: rounds, refused: 0, givenTwice: 0 })
  // On etcd, what the other one writes is refused as well: its lock is gone.
  expect(frees).toMatchObject({ lost: 0, refused: store === 'etcd' ? 2 * rounds : rounds, givenTwice: rounds })
  expect(correct).toMatchObject({ lost: 0, refused: rounds, givenTwice: 0 })
  // etcd compares with the grant itself, and needs no read to know of it.
  expect(reads).toMatchObject(store === 'etcd' ? { lost: 0, refused: rounds } : { lost: rounds, refused: 0 })
}
