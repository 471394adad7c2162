/** Ways to move money in the simulator: what breaks, what does not, and what a crash leaves visible and locked. */
import { faults, search } from '@repo/simulator/search'
import { type Effect, type Scenario, simulate } from '@repo/simulator/simulator'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { extremesOf, spansOf } from '../../src/transfer/reader.ts'
import { crashAfterEach, transferScenarios, transferSystem, type Wanted } from '../../src/transfer/simulated.ts'
import {
  type Booking,
  fateOf,
  isBalanced,
  isNaive,
  type Message,
  type Node,
  nodes,
  type Way,
  wayNames,
  ways,
} from '../../src/transfer/ways.ts'

const right = wayNames.filter((way) => !isNaive(way))
const naive = wayNames.filter(isNaive)
const quiet: Scenario<Wanted> = { requests: [], jitter: 0, messages: [], nodes: [] }

describe('without a fault', () => {
  it.each(wayNames)('%s moves the money, and refuses what anna does not have', (way) => {
    const changes: number[] = []
    const requests: Wanted[] = [
      { to: 'ben', amount: 80 },
      { to: 'ben', amount: 30 },
    ]
    const { violations } = simulate(
      transferSystem(way, ({ sum }) => changes.push(sum)),
      { ...quiet, requests },
    )
    // Who sends first has sent what the store then refuses.
    expect(violations.map(({ what }) => what)).toEqual(way === 'send-then-commit' ? ['doubled'] : [])
    expect(changes.at(-1)).toBe(way === 'send-then-commit' ? 130 : 100)
  })

  it.each(right)('%s gives the money back when nobody has the account', (way) => {
    const changes: number[] = []
    const { violations } = simulate(
      transferSystem(way, ({ sum }) => changes.push(sum)),
      { ...quiet, requests: [{ to: 'nobody', amount: 30 }] },
    )
    expect(violations).toEqual([])
    expect(changes.at(-1)).toBe(100)
    expect(Math.min(...changes)).toBe(way === '2pc' ? 100 : 70)
  })
})

describe('a search', () => {
  it.each(right)('finds nothing that breaks %s, with any seed', async (way) => {
    const seed = Math.floor(Math.random() * 2 ** 31)
    const { found } = await search(transferSystem(way), { seed, scenarios: transferScenarios(way), histories: 500 })
    expect(found?.run.violations, `seed ${seed}`).toBeUndefined()
  })

  it.each(naive)('finds what breaks %s, and makes it short', async (way) => {
    const settings = { seed: 1, scenarios: transferScenarios(way), histories: 500, beginnings: 3 }
    const { found } = await search(transferSystem(way), settings)
    expect(found?.shortest.requests).toHaveLength(1)
    expect(found && faults(found.shortest)).toBeLessThanOrEqual(1)
  })
})

/** Changes the effects of a way; undefined leaves one out. */
function tamper(way: 'saga' | 'outbox' | '2pc', change: (effect: Effect<Node, Message>) => typeof effect | undefined) {
  type Kind = (typeof ways)['2pc']
  const original: Kind = ways[way]
  const all: Record<Way, Kind> = ways
  vi.spyOn(all, way).mockImplementation(function* (...given: Parameters<Kind>): ReturnType<Kind> {
    const handler = original(...given)
    let step = handler.next('nothing')
    while (!step.done) {
      const effect = change(step.value)
      step = handler.next(effect ? yield effect : 'nothing')
    }
    return step.value
  })
}
const withoutKey = ({ key: _, ...booking }: Booking): Booking => booking
/** Changes the booking in a question to a store. */
const withBooking = (effect: Effect<Node, Message>, change: (booking: Booking) => Booking): typeof effect =>
  effect.do === 'ask' && typeof effect.message === 'object'
    ? { ...effect, message: { ...effect.message, booking: change(effect.message.booking) } }
    : effect

describe('a mistake', () => {
  afterEach(() => void vi.restoreAllMocks())
  const broken = async (way: Way) => {
    const { found } = await search(transferSystem(way), { seed: 1, scenarios: transferScenarios(way), histories: 500 })
    return found?.run.violations[0]?.what
  }

  it('is found: a saga whose credit has no key', async () => {
    tamper('saga', (effect) => (effect.do === 'ask' && effect.to === 'B' ? withBooking(effect, withoutKey) : effect))
    expect(await broken('saga')).toBe('doubled')
  })

  it('is found: an outbox whose credit has no key', async () => {
    tamper('outbox', (effect) => {
      return withBooking(effect, (debit) => ({ ...debit, ...(debit.onDone && { onDone: withoutKey(debit.onDone) }) }))
    })
    expect(await broken('outbox')).toBe('doubled')
  })

  it('is found: a coordinator that does not log its decision', async () => {
    tamper('2pc', (effect) =>
      effect.do === 'save' && (effect.value as { decision?: string }).decision ? undefined : effect,
    )
    expect(await broken('2pc')).toBe('lost')
  })

  it.each(['2pc', 'saga', 'outbox'] as const)('is found: half of the money, by %s', async (way) => {
    const halved = ({ onDone, ...booking }: Booking): Booking => ({
      ...booking,
      amount: booking.amount / 2,
      ...(onDone && { onDone: halved(onDone) }),
    })
    tamper(way, (effect) => withBooking(effect, halved))
    expect(await broken(way)).toBe('wrong amount')
  })

  it('is found: transfers that are refused although there is enough', async () => {
    vi.spyOn(ways, 'saga').mockImplementation(function* (transfer) {
      yield { do: 'save', key: transfer.id, value: { transfer, answer: 'refused' } }
      return 'refused'
    })
    expect(await broken('saga')).toBe('wrong answer')
  })

  it('is found: another answer after a crash', () => {
    const { saga } = ways
    let starts = 0
    vi.spyOn(ways, 'saga').mockImplementation(function* (transfer) {
      if (starts++ > 0) return yield* saga(transfer)
      yield { do: 'save', key: transfer.id, value: { transfer } }
      return 'refused'
    })
    const crash = { node: nodes.indexOf('service'), fate: 'crash', atMs: 50, ms: 10 } as const
    const scenario = { ...quiet, requests: [{ to: 'ben', amount: 10 }], nodes: [crash] }
    const { violations } = simulate(transferSystem('saga'), scenario)
    expect(violations.map(({ what }) => what)).toEqual(['wrong answer'])
  })
})

it.each([
  ['as booked', { anna: 90 }, { ben: 10 }, true],
  ['as before', { anna: 100 }, { ben: 0 }, false],
  ['less in A', { anna: 89 }, { ben: 10 }, false],
  ['more in B', { anna: 90 }, { ben: 11 }, false],
  ['money for nobody', { anna: 90 }, { ben: 10, nobody: 0 }, false],
])('accounts that are %s: balanced, or not', (_, A, B, expected) => {
  const [debit, credit] = [-10, 10].map((amount) => ({ transfer: 't', amount }))
  const transfer = { id: 't', from: 'anna', to: 'ben', amount: 10 }
  const books = (accounts: Record<string, number>, ...bookings: (typeof debit)[]) => ({ accounts, bookings })
  expect(isBalanced([transfer], books(A, debit), books(B, credit))).toBe(expected)
})

it('an account below zero is not balanced', () => {
  const transfer = { id: 't', from: 'anna', to: 'ben', amount: 110 }
  const A = { accounts: { anna: -10 }, bookings: [{ transfer: 't', amount: -110 }] }
  const B = { accounts: { ben: 110 }, bookings: [{ transfer: 't', amount: 110 }] }
  expect(isBalanced([transfer], A, B)).toBe(false)
})

describe('a crash after each effect', () => {
  it.each(right)('leaves nothing broken by %s', (way) => {
    const { crashes } = crashAfterEach(way, 300)
    expect(crashes.length).toBeGreaterThan(5)
    expect(crashes.filter(({ what }) => what)).toEqual([])
    for (const { changes } of crashes) expect(changes.at(-1)).toMatchObject({ sum: 100, locked: 0 })
  })

  it.each(naive)('breaks %s', (way) => {
    expect(crashAfterEach(way, 300).crashes.some(({ what }) => what)).toBe(true)
  })

  it('keeps accounts locked by two-phase commit as long as the coordinator is away, and by nothing else', () => {
    const lockedMs = (way: (typeof wayNames)[number]) =>
      Math.max(...crashAfterEach(way, 300).crashes.map((crash) => crash.lockedMs))
    expect(lockedMs('2pc')).toBeGreaterThanOrEqual(300)
    expect(lockedMs('2pc')).toBeLessThan(400)
    for (const way of wayNames) if (way !== '2pc') expect(lockedMs(way)).toBe(0)
  })

  it('shows a reader too little money as long as the process is away, whatever the way', () => {
    for (const way of right) {
      const worst = crashAfterEach(way, 300).crashes.toSorted((a, b) => b.shortMs - a.shortMs)[0]
      expect(worst, way).toMatchObject({ least: 90, most: 100 })
      expect(worst?.shortMs, way).toBeGreaterThanOrEqual(290)
      expect(worst?.shortMs, way).toBeLessThan(500)
    }
  })
})

describe('a transfer', () => {
  it.each([
    [0, 0, undefined],
    [1, 1, undefined],
    [1, 0, 'lost'],
    [2, 1, 'lost'],
    [0, 1, 'doubled'],
    [1, 2, 'doubled'],
    [2, 2, 'doubled'],
    [0.5, 0.5, 'wrong amount'],
    [-1, -1, 'wrong amount'],
  ] as const)('that was debited %d times and credited %d times is %s', (debited, credited, fate) => {
    const transfer = { id: 't', from: 'anna', to: 'ben', amount: 10 }
    const others = [{ transfer: 'u', amount: 10 }]
    const times = (count: number, amount: number) => [{ transfer: 't', amount: count * amount }]
    const judged = fateOf(transfer, [...others, ...times(debited, -10)], [...others, ...times(credited, 10)])
    expect(judged.fate).toBe(fate)
  })
})

describe('a reader', () => {
  const change = (atMs: number, sum: number, locked = 0) => ({ atMs, sum, locked })

  it('knows the longest time that the sum was short', () => {
    const changes = [change(0, 100), change(5, 90), change(8, 100), change(10, 90), change(12, 80, 1), change(20, 110)]
    expect(extremesOf(changes)).toEqual({ least: 80, most: 110, shortMs: 10, lockedMs: 8 })
  })

  it('does not know the end of what lasts', () => {
    expect(spansOf([change(0, 100), change(5, 90)], ({ sum }) => sum < 100)).toEqual([{ from: 5, to: Infinity }])
  })
})
