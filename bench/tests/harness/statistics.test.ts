/** The statistics on samples whose answer is known. */
import { randomFrom } from '@repo/common/async/random'
import { describe, expect, it } from 'vitest'
import { corrected, differences, rankSumProbability, shift } from '../../src/harness/statistics.ts'

const numbers = (from: number, to: number) => Array.from({ length: to - from + 1 }, (_, at) => from + at)

describe('the test of rank sums', () => {
  it.each([
    // The exact tables of Mann and Whitney: 2 of 252 divisions of ten values are as clear, 2 of 20, 2 of 3,432.
    [numbers(1, 5), numbers(6, 10), 2 / 252],
    [numbers(1, 3), numbers(4, 6), 2 / 20],
    [numbers(8, 14), numbers(1, 7), 2 / 3_432],
    // U = 1 is as unlikely as 23: 4 of 252.
    [[1, 2, 3, 4, 6], [5, 7, 8, 9, 10], 4 / 252],
    // Nothing is more equal.
    [[1, 4], [2, 3], 1],
    [[7, 7, 7], [7, 7, 7, 7], 1],
  ])('of %j and %j gives the exact probability', (first, second, probability) => {
    expect(rankSumProbability(first, second)).toBeCloseTo(probability, 12)
    expect(rankSumProbability(second, first)).toBeCloseTo(probability, 12)
  })

  it('shares the ranks of equal values', () => {
    // All 6 ways to choose two of 1, 2, 2, 3 as the first: sums of ranks 3.5, 3.5, 5, 5, 6.5, 6.5.
    expect(rankSumProbability([1, 2], [2, 3])).toBeCloseTo(4 / 6, 12)
  })
})

it('finds the factor between samples in spite of an outlier', () => {
  expect(shift([1, 1.01, 0.99, 1, 50], [2, 2.02, 1.98, 2, 2])).toBeCloseTo(2, 1)
})

it('corrects for several comparisons as Holm does', () => {
  expect(corrected([0.01, 0.04, 0.03, 0.005])).toEqual([0.03, 0.06, 0.06, 0.02])
  expect(corrected([0.9, 0.8])).toEqual([1, 1])
  expect(corrected([])).toEqual([])
})

describe('two runs', () => {
  /** Ratios with the noise of a shared machine: a few percent, and now and then much more. */
  function noisy(next: () => number, rounds: number, factor = 1): number[] {
    return Array.from({ length: rounds }, () => factor * (1 + 0.1 * next() + (next() < 0.1 ? next() : 0)))
  }

  it('of equal programs differ in fewer than a twentieth of the comparisons, however many there are in each', () => {
    const next = randomFrom(1)
    for (const comparisons of [1, 30]) {
      let alarms = 0
      for (let run = 0; run < 300; run++) {
        const pairs = Array.from({ length: comparisons }, () => ({ before: noisy(next, 7), after: noisy(next, 7) }))
        if (differences(pairs).some(({ verdict }) => verdict !== 'same')) alarms++
      }
      expect(alarms).toBeLessThan(15)
    }
  })

  it('of a program that was slowed down by half differ, and by that factor', () => {
    const next = randomFrom(2)
    const others = Array.from({ length: 20 }, () => ({ before: noisy(next, 7), after: noisy(next, 7) }))
    const slower = { before: noisy(next, 7), after: noisy(next, 7, 1.5) }
    const [found, ...rest] = differences([slower, ...others])
    expect(found?.verdict).toBe('more')
    expect(found?.factor).toBeGreaterThan(1.35)
    expect(found?.factor).toBeLessThan(1.65)
    expect(rest.map(({ verdict }) => verdict)).toEqual(others.map(() => 'same'))
    expect(differences([{ before: slower.after, after: slower.before }])[0]?.verdict).toBe('less')
  })

  it('that differ clearly but hardly are the same', () => {
    const [found] = differences([
      { before: numbers(100, 107), after: numbers(100, 107).map((value) => value * 1.001 + 3) },
    ])
    expect(found?.verdict).toBe('same')
  })

  it('of few rounds say so instead of calling everything the same', () => {
    const pair = { before: [1, 2, 3], after: [1.1, 2.1, 3.1] }
    expect(differences([pair])[0]?.verdict).toBe('too few rounds')
    const enough = { before: numbers(1, 7), after: numbers(1, 7) }
    expect(differences([enough])[0]?.verdict).toBe('same')
    expect(differences(Array.from({ length: 100 }, () => enough))[0]?.verdict).toBe('too few rounds')
  })
})
