/** The checker, on histories whose verdict is known, and by laws on histories that are made up. */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { checkHistory, findOrder } from '../../src/linear/check.ts'
import { carryOut, type Operation } from '../../src/linear/history.ts'
import { makeHistory } from '../../src/linear/make.ts'
import { shorten } from '../../src/linear/shorten.ts'
import { parse } from './histories.ts'

const verdict = (...lines: string[]) => checkHistory(parse(...lines)).verdict

describe('histories with a known verdict', () => {
  it.each([
    ['nothing happened', []],
    ['a key that was never written is read', ['p 0-1 r -']],
    ['a read that overlaps a write sees the old value', ['p 0-10 w 1', 'q 2-4 r -']],
    ['a read that overlaps a write sees the new value', ['p 0-10 w 1', 'q 2-4 r 1']],
    ['two reads during a write see old, then new', ['p 0-10 w 1', 'q 1-2 r -', 'q 3-4 r 1']],
    ['two writes at the same time, in any order', ['p 0-10 w 1', 'q 0-10 w 2', 'p 11-12 r 1']],
    ['two reads at the same time see them in different order', ['p 0-9 w 1', 'q 0-9 w 2', 'r 1-8 r 2', 's 1-8 r 1']],
    ['a write without an answer took place', ['p 0- w 1', 'q 5-6 r 1']],
    ['a write without an answer took place late', ['p 0- w 1', 'q 5-6 r -', 'q 7-8 r 1']],
    ['a write without an answer never took place', ['p 0- w 1', 'q 5-6 r -']],
    ['compare and set', ['p 0-1 c - 1', 'p 2-3 c 1 2', 'p 4-5 r 2']],
    ['one of two at the same time wins', ['p 0-9 c - 1', 'q 0-9 !c - 2', 'p 10-11 r 1']],
    ['it was refused before the value was there', ['p 0-10 w 1', 'q 1-2 !c 1 2', 'q 11-12 r 1']],
    ['what begins when another ends may be before it', ['p 0-5 w 1', 'q 5-6 r -']],
    ['keys do not disturb one another', ['p 0-1 w 1 @x', 'p 2-3 r - @y']],
    // Herlihy and Wing (1990), figure 1: H1 and H4, with registers.
    ['a value is overwritten during a read', ['p 0-1 w 0', 'p 2-9 w 1', 'q 3-4 r 1', 'q 5-6 r 1', 'r 3-8 r 0']],
  ])('%s: linearizable', (_, lines) => {
    expect(verdict(...lines)).toBe('linearizable')
  })

  it.each([
    ['a read after a write sees nothing', ['p 0-1 w 1', 'q 2-3 r -']],
    ['a value that nobody wrote', ['p 0-1 w 1', 'q 2-3 r 2']],
    ['a value is read before anybody begins to write it', ['p 0-1 r 1', 'q 2-3 w 1']],
    ['old after new', ['p 0-10 w 1', 'q 1-2 r 1', 'q 3-4 r -']],
    ['old after new, by two clients', ['p 0-10 w 1', 'q 1-2 r 1', 'r 3-4 r -']],
    ['a read sees the first of two writes', ['p 0-1 w 1', 'p 2-3 w 2', 'q 4-5 r 1']],
    ['both of two win', ['p 0-9 c - 1', 'q 0-9 c - 2']],
    ['refused although the value was there', ['p 0-1 w 1', 'q 2-3 !c 1 2']],
    ['done although the value was not there', ['p 0-1 w 1', 'q 2-3 c 2 3']],
    ['one without an answer cannot come before it began', ['p 0-1 r 1', 'q 2- w 1']],
    ['two readers disagree on the order of two writes', ['p 0-9 w 1', 'q 0-9 w 2', 'r 10-11 r 1', 's 12-13 r 2']],
    ['one key of two', ['p 0-1 w 1 @x', 'p 2-3 r 1 @x', 'p 4-5 r 1 @y']],
  ])('%s: not linearizable', (_, lines) => {
    expect(verdict(...lines)).toBe('not linearizable')
  })

  it('names the key', () => {
    expect(checkHistory(parse('p 0-1 w 1 @x', 'p 4-5 r 1 @y'))).toEqual({ verdict: 'not linearizable', key: 'y' })
  })
})

/** Histories of all sizes, each answer right. */
const histories = fc
  .record({
    seed: fc.nat(),
    operations: fc.integer({ min: 1, max: 40 }),
    clients: fc.integer({ min: 1, max: 6 }),
    keys: fc.integer({ min: 1, max: 3 }),
    lost: fc.constantFrom(0, 0.05, 0.3),
  })
  .map((options) => ({ options, history: makeHistory(options) }))

/** Histories that are not linearizable. */
const wrong = fc
  .record({ seed: fc.nat(), operations: fc.integer({ min: 5, max: 40 }), clients: fc.integer({ min: 1, max: 4 }) })
  .map((options) => makeHistory({ ...options, keys: 1, isChanged: true }))
  .filter((history) => checkHistory(history).verdict === 'not linearizable')

const isLinearizable = (history: readonly Operation[]) => checkHistory(history).verdict === 'linearizable'

/** Whether some order explains the answers: tries each operation that may be next. */
function hasOrder(history: readonly Operation[], value: string | null): boolean {
  if (history.every(({ ended }) => ended === undefined)) return true
  return history.some((operation) => {
    const rest = history.filter((other) => other !== operation)
    if (rest.some(({ ended }) => ended !== undefined && ended.atMs < operation.beginMs)) return false
    const { answer, value: next } = carryOut(operation.does, value)
    const isRight =
      operation.ended === undefined ||
      JSON.stringify({ atMs: operation.ended.atMs, ...answer }) === JSON.stringify(operation.ended)
    return isRight && hasOrder(rest, next)
  })
}

describe('laws', () => {
  it('answers as a right store gives them are linearizable', () => {
    fc.assert(fc.property(histories, ({ history }) => isLinearizable(history)))
  })

  it('so is what was known at any moment', () => {
    fc.assert(
      fc.property(histories, fc.nat(400), ({ history }, ms) => {
        const prefix = history
          .filter(({ beginMs }) => beginMs <= ms)
          .map(({ ended, ...asked }) => (ended && ended.atMs <= ms ? { ...asked, ended } : asked))
        return isLinearizable(prefix)
      }),
    )
  })

  it('so is the rest without a read, or without what was refused', () => {
    fc.assert(
      fc.property(histories, fc.nat(), ({ history }, chosen) => {
        const changesNothing = history.filter(
          ({ does, ended }) => 'read' in does || (ended && 'isDone' in ended && !ended.isDone),
        )
        const removed = changesNothing[chosen % Math.max(1, changesNothing.length)]
        return isLinearizable(history.filter((operation) => operation !== removed))
      }),
    )
  })

  it('none becomes wrong if its operations take longer', () => {
    fc.assert(
      fc.property(histories, fc.nat(50), ({ history }, ms) => {
        const longer = history.map((operation) => ({
          ...operation,
          beginMs: operation.beginMs - ms,
          ...(operation.ended && { ended: { ...operation.ended, atMs: operation.ended.atMs + ms } }),
        }))
        // If all are at the same time, the budget may not suffice.
        return checkHistory(longer, 10_000).verdict !== 'not linearizable'
      }),
    )
  })

  it('no matter how the history is sorted', () => {
    fc.assert(
      fc.property(
        fc.oneof(
          wrong,
          histories.map(({ history }) => history),
        ),
        (history) => {
          expect(checkHistory(history.toReversed()).verdict).toBe(checkHistory(history).verdict)
        },
      ),
    )
  })

  it('the verdict is that of trying all orders, also where values are written more than once', () => {
    const value = fc.constantFrom('1', '2')
    const maybe = fc.constantFrom(null, '1', '2')
    const does = fc.oneof(
      fc.constant({ read: true } as const),
      fc.record({ write: value }),
      fc.record({ from: maybe, to: value }),
    )
    const operation = fc
      .record({
        does,
        beginMs: fc.nat(8),
        ms: fc.integer({ min: 1, max: 8 }),
        isLost: fc.boolean(),
        isDone: fc.boolean(),
        read: maybe,
      })
      .map(({ does, beginMs, ms, isLost, isDone, read }): Operation => {
        const answer = 'read' in does ? { read } : { isDone: isDone || 'write' in does }
        return { client: 'c', key: 'x', does, beginMs, ...(!isLost && { ended: { atMs: beginMs + ms, ...answer } }) }
      })
    fc.assert(
      fc.property(fc.array(operation, { maxLength: 7 }), (history) => {
        expect(isLinearizable(history)).toBe(hasOrder(history, null))
      }),
      { numRuns: 10_000 },
    )
  })

  it('the order that it finds explains every answer and contradicts no clock', () => {
    fc.assert(
      fc.property(histories, ({ options }) => {
        const history = makeHistory({ ...options, keys: 1 })
        const order = findOrder(history, 1_000_000)
        if (typeof order === 'string') throw new Error(order)
        let value: string | null = null
        let latest = Number.NEGATIVE_INFINITY
        for (const at of order) {
          const { does, ended, beginMs } = history[at] as Operation
          latest = Math.max(latest, beginMs)
          expect(ended?.atMs ?? Number.POSITIVE_INFINITY).toBeGreaterThanOrEqual(latest)
          if ('read' in does) {
            if (ended && 'read' in ended) expect(ended.read).toBe(value)
          } else if ('write' in does) value = does.write
          else {
            if (ended && 'isDone' in ended) expect(ended.isDone).toBe(does.from === value)
            if (does.from === value) value = does.to
          }
        }
        const answered = history.flatMap(({ ended }, at) => (ended ? [at] : []))
        expect(order).toEqual(expect.arrayContaining(answered))
        expect(new Set(order).size).toBe(order.length)
      }),
    )
  })
})

describe('a shortened part', () => {
  it('is not linearizable, and everything in it is needed', () => {
    fc.assert(
      fc.property(wrong, (history) => {
        const part = shorten(history)
        expect(isLinearizable(part)).toBe(false)
        for (const operation of part) {
          const { does, ended } = operation
          // Without a write, whoever saw its value is wrong for another reason.
          if (!('read' in does) && !(ended && 'isDone' in ended && !ended.isDone)) continue
          expect(isLinearizable(part.filter((other) => other !== operation))).toBe(true)
        }
        for (const { ended, ...asked } of part) {
          const original = history.find(({ client, beginMs }) => client === asked.client && beginMs === asked.beginMs)
          expect(original).toMatchObject(asked)
          if (ended) expect(original?.ended).toEqual(ended)
        }
      }),
      { numRuns: 50 },
    )
  })

  it('has two operations where two suffice', () => {
    const noise = Array.from({ length: 200 }, (_, at) => `q ${at}-${at + 0.5} r -`)
    expect(shorten(parse(...noise, 'p 300-301 w 1', 'q 302-303 r -', 'p 304-305 w 2'))).toEqual(
      parse('p 300-301 w 1', 'q 302-303 r -'),
    )
  })

  it('of a linearizable history does not exist', () => {
    expect(shorten(parse('p 0-1 w 1'))).toEqual([])
  })
})

describe('the budget', () => {
  /** So many writes at once that all orders of them are to be tried. */
  const hard = parse(
    ...Array.from({ length: 12 }, (_, at) => `c${at} 0-100 w ${at}`),
    'p 0-100 r 5',
    'p 101-102 r none',
  )

  it('that is used up makes a history unknown, and never linearizable', () => {
    expect(checkHistory(hard, 1_000)).toEqual({ verdict: 'unknown', key: 'x' })
    expect(shorten(hard, 1_000)).toEqual([])
  })

  it('that suffices decides', () => {
    expect(checkHistory(hard).verdict).toBe('not linearizable')
  })

  it('of one key is not used up by another one: a wrong key decides', () => {
    const both = [...hard, ...parse('p 0-1 w 1 @y', 'p 2-3 r 2 @y')]
    expect(checkHistory(both, 1_000)).toEqual({ verdict: 'not linearizable', key: 'y' })
  })

  it('suffices for 1,000 operations by 10 clients on 10 keys', () => {
    const history = makeHistory({ seed: 1, operations: 1_000, clients: 10, keys: 10 })
    expect(checkHistory(history, 10_000).verdict).toBe('linearizable')
  })
})
