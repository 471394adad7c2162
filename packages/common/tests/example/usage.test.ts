import { afterEach, describe, expect, it, vi } from 'vitest'
import { describeError, originalOf, UsageError } from '../../src/example/usage.ts'

afterEach(() => {
  vi.unstubAllEnvs()
})

/** What `await using` throws when both the work and the cleaning up fail. */
async function suppressed(): Promise<unknown> {
  try {
    await using _resource = {
      async [Symbol.asyncDispose]() {
        throw new Error('the cleaning up failed')
      },
    }
    throw new Error('the work failed', { cause: new Error('of a cause') })
  } catch (error) {
    return error
  }
}

describe('an error in one line', () => {
  it('has the messages of its causes, each once', () => {
    const error = new Error('cannot save', { cause: new Error('cannot save', { cause: new Error('disk\n  full') }) })
    expect(describeError(error)).toBe('error: cannot save: disk full')
    expect(describeError('a text')).toBe('error: a text')
    expect(describeError(null)).toBe('error: null')
    expect(describeError(undefined)).toBe('error: undefined')
    expect(describeError(Object.assign(new Error('x'), { message: undefined }))).toBe('error: Error')
    expect(describeError(new Error('no', { cause: 'a text' }))).toBe('error: no: a text')
    expect(describeError(new Error('no', { cause: new AggregateError([new Error('a'), 'b'], '') }))).toBe(
      'error: no: a; b',
    )
  })

  it('is the first one where the cleaning up fails as well', async () => {
    expect(describeError(await suppressed())).toBe('error: the work failed: of a cause')
    expect(originalOf(await suppressed())).toMatchObject({ message: 'the work failed' })
  })

  it('is short, and has no control sequences of a terminal', () => {
    expect(describeError('x'.repeat(3_000_000))).toBe(`error: ${'x'.repeat(10_000)}…`)
    expect(describeError(new Error('a\u001b[2Jb\u0007\r\u009b31mc'))).toBe('error: abc')
    vi.stubEnv('DEBUG', '1')
    expect(describeError(new Error('a\u001b[2Jb'))).toMatch(/^error: ab\nError: ab\n {4}at /)
  })

  it('shows no secrets, not even with DEBUG', () => {
    const error = new Error('cannot reach redis://u:hunter2@h', { cause: new Error('GET /?token=hunter2') })
    expect(describeError(error)).toBe('error: cannot reach redis://u:***@h: GET /?token=***')
    vi.stubEnv('DEBUG', '1')
    expect(describeError(error)).not.toContain('hunter2')
  })

  it('says what it can of an error whose cause cannot be read', () => {
    const error = Object.defineProperty(new Error('no'), 'cause', {
      get: () => {
        throw new Error('caught')
      },
    })
    expect(describeError(error)).toBe('error: no')
    const revoked = Proxy.revocable({}, {})
    revoked.revoke()
    expect(describeError(revoked.proxy)).toBe('error: something was thrown that cannot be shown')
  })

  it('ends for an error that is its own cause', () => {
    const [one, other] = [new Error('one'), new Error('other')]
    one.cause = other
    other.cause = one
    expect(describeError(one)).toBe('error: one: other')
  })

  it('is followed by the stack with DEBUG', () => {
    vi.stubEnv('DEBUG', '1')
    expect(describeError(new Error('no'))).toMatch(/^error: no\nError: no\n +at /)
  })
})

describe('a usage error', () => {
  it.each([
    [undefined, 'nothing'],
    ['', '""'],
    ['a\nb\u001b[31m', '"a b"'],
    ['x'.repeat(201), `"${'x'.repeat(200)}…"`],
  ])('quotes %j in one short line', (value, quoted) => {
    expect(new UsageError('--name', value, 'a name').message).toBe(`--name: received ${quoted}; accepts a name`)
  })
})
