import { describe, expect, it } from 'vitest'
import { observe, predicted } from '../../src/event-loop/order.ts'
import { countWordsInSteps, runAtOnce, runInSlices } from '../../src/event-loop/words.ts'
import { chunkBytes, type FlowName, flows } from '../../src/flow/flow.ts'

describe.each(Object.keys(flows) as FlowName[])('%s back-pressure', (name) => {
  it('loses nothing, and lets wait what it should', async () => {
    let made = 0
    let consumed = 0
    let bytes = 0
    let mostWaiting = 0
    await flows[name]({
      chunks: 30,
      // Long beside the making of a chunk, also on a busy machine.
      consumeMs: 15,
      onProduced: () => {
        made++
        mostWaiting = Math.max(mostWaiting, made - consumed)
      },
      onConsumed: (chunk) => {
        consumed++
        bytes += chunk.length
      },
    })
    expect({ made, consumed, bytes }).toEqual({ made: 30, consumed: 30, bytes: 30 * chunkBytes })
    // With room for four, a fifth may be in the consumer's hands.
    if (name.endsWith('with')) expect(mostWaiting).toBeLessThanOrEqual(5)
    else expect(mostWaiting).toBeGreaterThan(10)
  })
})

it('callbacks run in the order that is predicted', async () => {
  for (let round = 0; round < 20; round++) {
    expect(await observe(import.meta.filename)).toEqual(predicted.map(({ name }) => name))
  }
})

describe('a computation in steps', () => {
  const texts = ['War and peace', 'war, WAR!', '']

  it('has the same result in any slices', async () => {
    const expected = { words: 5, distinct: 3 }
    expect(runAtOnce(countWordsInSteps(texts))).toEqual(expected)
    expect(await runInSlices(countWordsInSteps(texts), 0)).toEqual(expected)
    expect(await runInSlices(countWordsInSteps(texts), 1000)).toEqual(expected)
  })

  it('lets the event loop turn only between slices', async () => {
    let turns = 0
    const turning = setInterval(() => turns++, 0)
    const counted = () => {
      setImmediate(() => turns++)
      return countWordsInSteps(texts)
    }
    runAtOnce(counted())
    expect(turns).toBe(0)
    await runInSlices(counted(), 0)
    expect(turns).toBeGreaterThan(0)
    clearInterval(turning)
  })
})
