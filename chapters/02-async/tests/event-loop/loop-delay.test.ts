import { expect, it } from 'vitest'
import { watchLoop } from '../../src/event-loop/loop-delay.ts'

const never = new Int32Array(new SharedArrayBuffer(4))

it('measures how long the event loop stands still', async () => {
  const { result, ms, longestDelayMs } = await watchLoop(() => Atomics.wait(never, 0, 0, 60))
  expect(result).toBe('timed-out')
  expect(ms).toBeGreaterThanOrEqual(59)
  // The loop had turned up to a millisecond before.
  expect(longestDelayMs).toBeGreaterThanOrEqual(58)
})
