/** The lock in the simulator: each mistake is found, and tokens prevent what it breaks. */
import { search } from '@repo/simulator/search'
import { historyText, type Scenario, simulate } from '@repo/simulator/simulator'
import { describe, expect, it } from 'vitest'
import { lockGroup, lockScenarios, nodes, type Violation } from '../../src/lock/group.ts'
import type { Mistake } from '../../src/lock/holder.ts'

const broken: Record<Mistake, Violation['rule']> = {
  'trusts its lease': 'no write is lost',
  'checks its clock': 'no write is lost',
  'no token on reads': 'no write is lost',
  'forgets its tokens': 'no write is lost',
  'frees any lock': 'only the holder frees the lock',
}

describe('a mistake', () => {
  it.each(Object.entries(broken) as [Mistake, Violation['rule']][])(
    '"%s" is found within 20,000 histories, for two seeds, and breaks "%s"',
    async (mistake, rule) => {
      for (const seed of [1, 2]) {
        const settings = { seed, scenarios: lockScenarios, histories: 20_000, beginnings: 1 }
        const { found } = await search(lockGroup(mistake), settings)
        expect(found?.run.violations, `seed ${seed}`).toMatchObject([{ rule }])
        // It is not the scenario alone.
        if (found) expect(simulate(lockGroup(), found.shortest).violations).toEqual([])
      }
    },
  )
})

describe('with a token on everything', () => {
  it('nothing is broken in 1,000 histories, with any seed', async () => {
    const seed = Math.floor(Math.random() * 2 ** 31)
    const { found } = await search(lockGroup(), { seed, scenarios: lockScenarios, histories: 1_000 })
    expect(found?.run.violations, `seed ${seed}`).toBeUndefined()
  })
})

describe('a holder that is paused when it has read', () => {
  /** The first one to be granted the lock is paused for longer than its lease. */
  const scenario: Scenario<'add'> = {
    requests: ['add', 'add'],
    jitter: 0,
    messages: [],
    nodes: [],
    marks: [{ number: 1, fate: 'pause', afterMs: 1, ms: 100 }],
  }
  const play = (mistake?: Mistake) => {
    const { violations, history } = simulate(lockGroup(mistake), scenario, { record: true })
    return { violations, text: historyText(history, nodes) }
  }

  it('writes although another one holds the lock, and the other’s write is lost', () => {
    const { violations, text } = play('trusts its lease')
    expect(violations).toEqual([
      { rule: 'no write is lost', detail: 'the store has acknowledged q2, and has only "p1"' },
    ])
    expect(text).toMatch(/p +is paused for 100 ms/)
  })

  it('notices by its clock that it is too late, if the pause comes before it looks', () => {
    const { violations, text } = play('checks its clock')
    expect(violations).toEqual([])
    expect(text).not.toMatch(/p +→ store write/)
  })

  it('is refused with a token', () => {
    expect(play().violations).toEqual([])
    expect(play('no token on reads').violations).toEqual([])
  })
})
