import { describe, expect, it } from 'vitest'
import { countWordsInSteps, runAtOnce, runInSlices, startWordCounter } from '../../src/event-loop/words.ts'

describe('a computation in steps', () => {
  const texts = ['War and peace', 'war, WAR!', '']

  it('has the same result in any slices, and on a thread', async () => {
    const expected = { words: 5, distinct: 3 }
    expect(runAtOnce(countWordsInSteps(texts))).toEqual(expected)
    expect(await runInSlices(countWordsInSteps(texts), 0)).toEqual(expected)
    expect(await runInSlices(countWordsInSteps(texts), 1000)).toEqual(expected)
    await using counter = await startWordCounter(texts)
    for (let round = 0; round < 3; round++) expect(await counter.countWords()).toEqual(expected)
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
