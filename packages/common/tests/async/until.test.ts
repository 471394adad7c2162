import { getEventListeners } from 'node:events'
import { describe, expect, it, vi } from 'vitest'
import { until } from '../../src/async/until.ts'

describe('until', () => {
  it('returns the first truthy value of its condition, which may throw before', async () => {
    let asked = 0
    const condition = () => {
      asked++
      if (asked === 1) throw new Error('not there')
      return asked === 3 && 'third'
    }
    expect(await until(condition)).toBe('third')
  })

  it('says after the deadline what it waited for and what it saw last', async () => {
    const late = await until(() => 0, { timeoutMs: 50, what: 'a job in the queue' }).catch((error: unknown) => error)
    expect(late).toMatchObject({ message: 'not within 0.05 s: a job in the queue; last: 0' })
    expect(late).not.toHaveProperty('cause')
    const broken = new RangeError('refused')
    await expect(until(() => Promise.reject(broken), { timeoutMs: 50, what: 'a reply' })).rejects.toMatchObject({
      message: 'not within 0.05 s: a reply; last: RangeError: refused',
      cause: broken,
    })
    const odd = Object.assign(new Error(), { message: Symbol('no text') })
    await expect(until(() => Promise.reject(odd), { timeoutMs: 0 })).rejects.toThrow('not within 0 s: ')
  })

  it('waits for ever with Infinity, and does not wait longer than its deadline for the next call', async () => {
    let asked = 0
    const third = () => ++asked === 3
    expect(await until(third, { timeoutMs: Infinity, everyMs: 1 })).toBe(true)
    const never = vi.fn(() => false)
    await expect(until(never, { timeoutMs: 20, everyMs: Infinity })).rejects.toThrow('not within 0.02 s')
    // At the beginning and at the deadline, before which Node's timers may fire by a millisecond.
    expect(never.mock.calls.length).toBeLessThan(5)
  })

  it.each([{ timeoutMs: Number.NaN }, { timeoutMs: -1 }, { everyMs: Number.NaN }])('refuses %o', async (options) => {
    await expect(until(() => false, options)).rejects.toThrow(/^(timeoutMs|everyMs): received (NaN|-1); accepts/)
  })

  it('ends with the reason of its signal', async () => {
    const reason = new Error('changed my mind')
    const asked = vi.fn(() => true)
    await expect(until(asked, { signal: AbortSignal.abort(reason) })).rejects.toBe(reason)
    expect(asked).not.toHaveBeenCalled()
    const controller = new AbortController()
    const waiting = until(() => false, { signal: controller.signal, everyMs: Infinity })
    controller.abort(reason)
    await expect(waiting).rejects.toBe(reason)
    expect(getEventListeners(controller.signal, 'abort')).toEqual([])
  })

  it('does not show its own timer to a condition that looks at what is open', async () => {
    const timers = () => process.getActiveResourcesInfo().filter((kind) => kind === 'Timeout').length
    const before = timers()
    expect(await until(() => [timers()])).toEqual([before])
  })

  it('does not wait for a condition that never answers', async () => {
    const never = () => new Promise<boolean>(() => {})
    await expect(until(never, { timeoutMs: 10, what: 'a reply' })).rejects.toThrow(
      'not within 0.01 s: a reply; last: no answer',
    )
    const reason = new Error('changed my mind')
    const controller = new AbortController()
    const waiting = until(never, { timeoutMs: Infinity, signal: controller.signal })
    controller.abort(reason)
    await expect(waiting).rejects.toBe(reason)
    expect(getEventListeners(controller.signal, 'abort')).toEqual([])
  })
})
