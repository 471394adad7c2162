import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  accepting,
  defaultOf,
  flag,
  listOf,
  number,
  oneOf,
  wholeNumber,
  workerCount,
} from '../../src/example/options.ts'

describe('wholeNumber', () => {
  it('reads every whole number within its bounds and nothing else', () => {
    fc.assert(
      fc.property(
        fc.integer(),
        fc.integer({ min: -1000, max: 0 }),
        fc.integer({ min: 1, max: 1000 }),
        (value, min, max) => {
          const parsed = wholeNumber(min, max).safeParse(String(value))
          expect(parsed.data).toBe(value >= min && value <= max ? value : undefined)
        },
      ),
    )
  })

  it('reads −0 as 0, which tables write without a sign', () => {
    expect(wholeNumber(-1, 1).safeParse('-0').data).toBe(0)
    expect(number().safeParse('-0.0').data).toBe(0)
  })

  it.each(['', ' ', '1.0', '0x10', '1e3', '١', 'NaN', 'Infinity', '--1', '1 2'])('refuses %j', (text) => {
    expect(wholeNumber(-1e9, 1e9).safeParse(text).success).toBe(false)
  })
})

describe('number', () => {
  it('reads every finite double as JavaScript writes it', () => {
    fc.assert(
      fc.property(fc.double({ noNaN: true, noDefaultInfinity: true }), (value) => {
        expect(number().safeParse(String(value)).data).toBe(value === 0 ? Number(String(value)) : value)
      }),
    )
  })

  it.each(['', '.', 'e3', '1e999', 'NaN', 'Infinity', '0x1', '1,2'])('refuses %j', (text) => {
    expect(number().safeParse(text).success).toBe(false)
  })

  it.each([
    [[undefined, undefined], 'a number'],
    [[0, undefined], 'a number from 0'],
    [[undefined, 1], 'a number up to 1'],
    [[0, 1], 'a number from 0 to 1'],
  ] as const)('says what it accepts', ([min, max], accepts) => {
    expect(number(min, max).meta()?.accepts).toBe(accepts)
  })
})

describe('listOf', () => {
  const pair = listOf(wholeNumber(0, 9), 'digits', { min: 1, max: 3, distinct: true })
  it('reads items between commas', () => {
    expect(pair.parse('1, 2,3')).toEqual([1, 2, 3])
  })
  it.each(['', '1,', '1,2,3,4', '1,x', '1,1'])('refuses %j', (text) => {
    expect(pair.safeParse(text).error?.issues[0]?.message).toBe('digits')
  })

  it('can insist on ascending items', () => {
    const ascending = listOf(wholeNumber(0, 99), 'digits', { ascending: true })
    expect(ascending.parse('2,3,10')).toEqual([2, 3, 10])
    for (const text of ['3,2', '2,2']) expect(ascending.safeParse(text).success).toBe(false)
  })
})

describe('a default', () => {
  it('is never more workers than there may be', () => {
    expect(workerCount(1).parse(undefined)).toBe(1)
  })

  it.each([
    [wholeNumber(1, 9).default(3).describe('three'), '3'],
    [listOf(number(), 'numbers').default([1, 2.5]), '1,2.5'],
    [
      accepting(
        'a pair',
        (text) => text.split('×').map(Number),
        (pair) => pair.join('×'),
      ).default([3, 4]),
      '3×4',
    ],
    [oneOf('here', 'there').optional(), undefined],
    [flag(), undefined],
  ])('is written as its reader would', (schema, text) => {
    expect(defaultOf(schema)).toBe(text)
  })
})
