/** Leases in the simulator: each mistake is found, tokens prevent lost writes, and the rule for leaders two of them. */
import { search } from '@repo/simulator/search'
import { historyText, type Scenario, simulate } from '@repo/simulator/simulator'
import { describe, expect, it } from 'vitest'
import { electScenarios, leaseGroup, lockScenarios, nodes, type Violation } from '../../src/lease/group.ts'
import type { Mistake } from '../../src/lease/mistakes.ts'

const broken: Record<Mistake, Violation['rule']> = {
  'trusts its lease': 'no write is lost',
  'checks its clock': 'no write is lost',
  'no token on reads': 'no write is lost',
  'forgets its tokens': 'no write is lost',
  'frees any lock': 'only the holder frees the lock',
  'waits to be told': 'one leads at most',
  'counts from the answer': 'one leads at most',
  'allows for no drift': 'one leads at most',
}

describe('a mistake', () => {
  it.each(Object.entries(broken) as [Mistake, Violation['rule']][])(
    '"%s" is found within 20,000 histories, for two seeds, and breaks "%s"',
    async (mistake, rule) => {
      const [does, scenarios] =
        rule === 'one leads at most' ? (['stand', electScenarios] as const) : (['add', lockScenarios] as const)
      for (const seed of [1, 2]) {
        const settings = { seed, scenarios, histories: 20_000, beginnings: 1 }
        const { found } = await search(leaseGroup(does, mistake), settings)
        expect(found?.run.violations, `seed ${seed}`).toMatchObject([{ rule }])
        // It is not the scenario alone.
        if (found) expect(simulate(leaseGroup(does), found.shortest).violations).toEqual([])
      }
    },
  )
})

describe('without a mistake', () => {
  it.each([
    ['add', lockScenarios],
    ['stand', electScenarios],
  ] as const)('clients that %s break nothing in 1,000 histories, with any seed', async (does, scenarios) => {
    const seed = Math.floor(Math.random() * 2 ** 31)
    const { found } = await search(leaseGroup(does), { seed, scenarios, histories: 1_000 })
    expect(found?.run.violations, `seed ${seed}`).toBeUndefined()
  })
})

describe('a holder that is paused when it has read', () => {
  /** The first one to be granted the lock is paused for longer than its lease. */
  const scenario: Scenario<'next'> = {
    requests: ['next', 'next'],
    jitter: 0,
    messages: [],
    nodes: [],
    marks: [{ number: 1, fate: 'pause', afterMs: 1, ms: 100 }],
  }
  const play = (mistake?: Mistake) => {
    const { violations, history } = simulate(leaseGroup('add', mistake), scenario, { record: true })
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

describe('a leader', () => {
  it('needs the bound: with a clock that is slower than that, there are two', () => {
    const scenario: Scenario<'next'> = {
      requests: ['next', 'next'],
      jitter: 0,
      messages: [],
      nodes: [
        { node: nodes.indexOf('p'), fate: 'drift', atMs: 0, ms: -600 },
        { node: nodes.indexOf('p'), fate: 'partition', atMs: 10, ms: 600 },
      ],
    }
    expect(simulate(leaseGroup('stand'), scenario).violations).toEqual([
      { rule: 'one leads at most', detail: 'p and q both lead' },
    ])
  })
})
