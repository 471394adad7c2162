import { describe, expect, it } from 'vitest'
import { sends } from '../../examples/backpressure.ts'
import { chunkBytes } from '../../src/flow/flow.ts'

describe.each(Object.entries(sends))('%s', (_, send) => {
  it.each([
    ['without', false],
    ['with', true],
  ])('loses nothing %s back-pressure, and lets wait what it should', async (_, waits) => {
    let made = 0
    let consumed = 0
    let bytes = 0
    let mostWaiting = 0
    const flow = {
      chunks: 30,
      // Long compared with making a chunk, even on a busy machine.
      consumeMs: 15,
      onProduced: () => {
        made++
        mostWaiting = Math.max(mostWaiting, made - consumed)
      },
      onConsumed: (chunk: Buffer) => {
        consumed++
        bytes += chunk.length
      },
    }
    await send(flow, waits)
    expect({ made, consumed, bytes }).toEqual({ made: 30, consumed: 30, bytes: 30 * chunkBytes })
    // With room for four, a fifth may be in the consumer's hands.
    if (waits) expect(mostWaiting).toBeLessThanOrEqual(5)
    else expect(mostWaiting).toBeGreaterThan(10)
  })
})
