import { expect, it } from 'vitest'
import { overTime } from '../../src/grep/over-time.ts'

it('words over time are counted whole, in any case, in periods', () => {
  const texts = [
    { year: 1799, text: 'War! Warfare and war.' },
    { year: 1790, text: 'Peace' },
    { year: 1801, text: "It isn't war; isn't it?" },
  ]
  expect(overTime(['war', "isn't"], texts)).toEqual([
    { from: 1790, words: 5, occurrences: [2, 0] },
    { from: 1800, words: 5, occurrences: [1, 2] },
  ])
})

it('counts for each of two spellings of a word', () => {
  expect(overTime(['War', 'war', 'cafe\u0301', 'café'], [{ year: 1790, text: 'war, WAR, café' }])).toEqual([
    { from: 1790, words: 3, occurrences: [2, 2, 1, 1] },
  ])
})
