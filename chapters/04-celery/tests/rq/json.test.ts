/** JSON that changes no value without a word. */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { readJson, writeJson } from '../../src/rq/json.ts'
import { jsonValue } from '../fixtures/json-value.ts'

class Point {
  x = 1
}

describe('what is written', () => {
  it('is read as it was, for any JSON value and any number', () => {
    const number = fc.double({ noNaN: true, noDefaultInfinity: true })
    fc.assert(
      fc.property(fc.oneof(jsonValue, number, fc.array(number)), (value) => {
        expect(readJson(writeJson(value, 'it'))).toEqual(value)
      }),
    )
  })

  it.each<[unknown, string]>([
    [undefined, 'null'],
    [{ a: undefined }, '{}'],
    [new Date(0), '"1970-01-01T00:00:00.000Z"'],
    [new Point(), '{"x":1}'],
    [Object.create(null), '{}'],
    [{}, '{}'],
    [[], '[]'],
    [-0, '-0.0'],
    [2 ** 53 - 1, '9007199254740991'],
    // The digits that JSON.stringify writes, …976000, are those of another integer.
    [2 ** 60, '1152921504606846976'],
    [-(2 ** 60), '-1152921504606846976'],
    [1e21, '1e+21'],
  ])('%o is %s', (value, text) => {
    expect(writeJson(value, 'it')).toBe(text)
  })

  it.each<[unknown, string]>([
    [Number.NaN, 'NaN'],
    [[1, { a: Number.NEGATIVE_INFINITY }], '-Infinity at a'],
    [[undefined], 'undefined in a list at 0'],
    [{ m: new Map([[1, 2]]) }, 'a Map at m'],
    [new Set([1]), 'a Set'],
    [[/x/], 'a RegExp at 0'],
    [new Error('e'), 'a Error'],
    [new Float64Array(2), 'a Float64Array'],
    [() => 1, 'a function'],
    [{ s: Symbol('s') }, 'a symbol at s'],
    [[1n], 'a BigInt at 0'],
    [new Date('soon'), 'a Date that becomes null'],
    [{ at: [new Date(Number.NaN)] }, 'a Date that becomes null at 0'],
  ])('%o is refused: %s', (value, received) => {
    expect(() => writeJson(value, 'it')).toThrow(`it: received ${received}; accepts what JSON can carry`)
  })

  it('may have integers of any size, for a reader that has them', () => {
    expect(writeJson([2n ** 64n, -1n], 'it', { bigints: true })).toBe('[18446744073709551616,-1]')
  })
})

describe('what is read', () => {
  it.each<[string, unknown]>([
    ['9007199254740991', 2 ** 53 - 1],
    ['9007199254740993', 2n ** 53n + 1n],
    ['[-9007199254740993]', [-(2n ** 53n) - 1n]],
    ['1234567890123456.5', 1234567890123456.5],
    ['["12345678901234567890", true, null, 0.1]', ['12345678901234567890', true, null, 0.1]],
    ['[-0, 1e300, 1E+300]', [-0, 1e300, 1e300]],
    [`1${'0'.repeat(400)}`, 10n ** 400n],
  ])('%s', (text, value) => {
    expect(readJson(text)).toEqual(value)
  })

  it('is refused where a number is too large', () => {
    expect(() => readJson('[1e999]')).toThrow('1e999 is too large for a number')
    expect(() => readJson('[-1E+999]')).toThrow('-1E+999 is too large for a number')
    expect(() => readJson('[NaN]')).toThrow(SyntaxError)
  })
})
