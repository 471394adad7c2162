import { getEventListeners } from 'node:events'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { after, requireMs, sleep, timeLimit } from '../../src/async/timer.ts'

const longestMs = 2 ** 31 - 1

beforeEach(() => void vi.useFakeTimers())
afterEach(() => void vi.useRealTimers())

describe('a timer', () => {
  it.each([0, 1.5, 20, longestMs, longestMs + 1, 30 * 24 * 3_600_000, 3 * longestMs + 7])(
    'of %d ms fires once, after all of them',
    (ms) => {
      const call = vi.fn()
      after(ms, call)
      vi.advanceTimersByTime(Math.max(0, ms - 1))
      if (ms > 1) expect(call).not.toHaveBeenCalled()
      vi.advanceTimersByTime(1)
      expect(call).toHaveBeenCalledOnce()
      expect(vi.getTimerCount()).toBe(0)
    },
  )

  it('of Infinity never fires, and waits without being busy', () => {
    const call = vi.fn()
    using _timer = after(Infinity, call)
    vi.advanceTimersByTime(100 * longestMs)
    expect(call).not.toHaveBeenCalled()
    expect(vi.getTimerCount()).toBe(1)
  })

  it.each([20, longestMs + 20, Infinity])('of %d ms can be cleared, at any time', (ms) => {
    const call = vi.fn()
    const first = after(ms, call)
    first.clear()
    const second = after(ms, call)
    vi.advanceTimersByTime(Math.min(ms, longestMs + 1) - 1)
    second.clear()
    second.clear()
    expect(vi.getTimerCount()).toBe(0)
    vi.advanceTimersByTime(longestMs)
    expect(call).not.toHaveBeenCalled()
  })

  it.each([-1, Number.NaN, -Infinity, '5' as unknown as number, null as unknown as number])(
    'of %s is refused',
    async (ms) => {
      const message = `timeoutMs: received ${ms}; accepts milliseconds from 0 to Infinity`
      expect(() => requireMs(ms, 'timeoutMs')).toThrow(new RangeError(message))
      expect(() => requireMs(ms)).toThrow(/^ms: received /)
      expect(() => after(ms, () => {}, 'timeoutMs')).toThrow(new RangeError(message))
      await expect(sleep(ms)).rejects.toThrow(RangeError)
      expect(() => timeLimit(ms)).toThrow(RangeError)
      expect(vi.getTimerCount()).toBe(0)
    },
  )

  it.each([true, false])('keeps its reference, also after the longest time of one timer: %s', (isRef) => {
    vi.useRealTimers()
    const started: { ref: boolean; step: () => void }[] = []
    const set = vi.spyOn(globalThis, 'setTimeout').mockImplementation(((step: () => void) => {
      const timer = { ref: true, step, unref: () => Object.assign(timer, { ref: false }) }
      started.push(timer)
      return timer
    }) as never)
    const timer = after(longestMs + 1, () => {})
    if (!isRef) timer.unref()
    started[0]?.step()
    set.mockRestore()
    expect(started.map(({ ref }) => ref)).toEqual([isRef, isRef])
  })
})

describe('sleeping', () => {
  it('lasts for the whole time, and leaves nothing behind', async () => {
    const { signal } = new AbortController()
    let awake = false
    const slept = sleep(longestMs + 10, signal).then(() => {
      awake = true
    })
    await vi.advanceTimersByTimeAsync(longestMs + 9)
    expect(awake).toBe(false)
    await vi.advanceTimersByTimeAsync(1)
    await slept
    expect(getEventListeners(signal, 'abort')).toEqual([])
  })

  it('ends with the reason of a signal, before or while it lasts', async () => {
    await expect(sleep(5, AbortSignal.abort('early'))).rejects.toBe('early')
    const controller = new AbortController()
    const slept = sleep(Infinity, controller.signal)
    controller.abort(new Error('enough'))
    await expect(slept).rejects.toThrow('enough')
    expect(vi.getTimerCount()).toBe(0)
  })
})

describe('a time limit', () => {
  it.each([longestMs + 1, Infinity])('of %d ms is not over at once, and may be aborted before', (ms) => {
    const controller = new AbortController()
    const limit = timeLimit(ms, controller.signal)
    vi.advanceTimersByTime(longestMs)
    expect(limit.aborted).toBe(false)
    expect(vi.getTimerCount()).toBe(ms < Infinity ? 1 : 0)
    controller.abort('earlier')
    expect(limit.reason).toBe('earlier')
  })

  it('aborts with a TimeoutError', async () => {
    const long = timeLimit(longestMs + 1)
    vi.advanceTimersByTime(longestMs + 1)
    vi.useRealTimers()
    const short = timeLimit(0.5)
    if (!short.aborted) await new Promise((resolve) => short.addEventListener('abort', resolve))
    for (const { reason } of [long, short]) expect(reason).toMatchObject({ name: 'TimeoutError' })
  })
})
