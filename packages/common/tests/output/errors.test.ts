import { runInNewContext } from 'node:vm'
import { describe, expect, it } from 'vitest'
import { errorOf, messageOf } from '../../src/output/errors.ts'

const hostile = {
  get message(): string {
    throw new Error('caught')
  },
}
const withMessage = (message: unknown) => Object.assign(new Error('replaced'), { message })
const unreachable = Object.assign(
  new AggregateError([new Error('connect ECONNREFUSED ::1:9'), new Error('connect ECONNREFUSED 127.0.0.1:9')], ''),
  { code: 'ECONNREFUSED' },
)

describe('the message of what was thrown', () => {
  it.each([
    [new Error('no\nroom'), 'no\nroom'],
    ['a text', 'a text'],
    ['', 'an empty text was thrown'],
    [null, 'null'],
    [undefined, 'undefined'],
    [-0, '-0'],
    [Symbol.iterator, 'Symbol(Symbol.iterator)'],
    [{ status: 500, body: { why: ['full'] } }, "{ status: 500, body: { why: [ 'full' ] } }"],
    [withMessage({ code: 7 }), '{ code: 7 }'],
    [withMessage(undefined), 'Error'],
    [new TypeError(), 'TypeError'],
    [Object.assign(new Error(), { code: 'ENOENT' }), 'ENOENT'],
    [unreachable, 'connect ECONNREFUSED ::1:9; connect ECONNREFUSED 127.0.0.1:9'],
    [runInNewContext('new RangeError("elsewhere")'), 'elsewhere'],
    [Object.create(null), '[Object: null prototype] {}'],
    [hostile, '{ message: [Getter] }'],
    [Object.assign(new Error(), { code: Symbol('c') }), 'Symbol(c)'],
  ])('%#', (thrown, message) => {
    expect(messageOf(thrown)).toBe(message)
  })

  it.each([
    ['a getter', Object.defineProperties(new Error('hidden'), Object.getOwnPropertyDescriptors(hostile))],
    ['a proxy', new Proxy(new Error('hidden'), { get: () => hostile.message, getPrototypeOf: () => null })],
    ['its own inspection', { [Symbol.for('nodejs.util.inspect.custom')]: () => hostile.message }],
  ])('survives %s that throws', (_, thrown) => {
    const { message, cause } = errorOf(thrown)
    expect(message).toBe(messageOf(thrown))
    expect(message).not.toBe('')
    // Comparing or printing it would throw.
    expect(cause === thrown).toBe(true)
  })

  it('is bounded for an object', () => {
    expect(messageOf({ list: Array.from({ length: 90 }, () => 'x'.repeat(90)) })).toHaveLength(1_001)
  })
})

describe('the error of what was thrown', () => {
  it('is the same one if its texts can be read', () => {
    for (const thrown of [new RangeError('no'), Object.assign(new Error('no'), { stack: undefined })]) {
      expect(errorOf(thrown)).toBe(thrown)
    }
  })

  it.each([null, undefined, 'text', withMessage({ code: 7 }), Object.assign(new Error('no'), { name: 7 })])(
    'is a new one otherwise: %#',
    (thrown) => {
      const error = errorOf(thrown)
      expect(error).not.toBe(thrown)
      expect(error).toMatchObject({ name: 'Error', message: messageOf(thrown), cause: thrown })
    },
  )
})
