/** How often words were said over the years. */
import { wordsOf } from '@repo/common/workloads/shingles'

export interface Period {
  /** The first year. */
  from: number
  /** The number of words that were said. */
  words: number
  /** How often each of the chosen words was said, in their order. */
  occurrences: number[]
}

/**
 * Counts words in each period of `years` years, in one pass over each text. Words count whole and in any case.
 *
 * @param texts what was said in which year
 */
export function overTime(words: string[], texts: Iterable<{ year: number; text: string }>, years = 10): Period[] {
  const periods = new Map<number, Period>()
  // The same word may have been chosen twice, as `War` and `war`.
  const positions = Map.groupBy(words.keys(), (at) => wordsOf(words[at] ?? '')[0])
  for (const { year, text } of texts) {
    const from = year - (year % years)
    const period = periods.get(from) ?? { from, words: 0, occurrences: words.map(() => 0) }
    periods.set(from, period)
    for (const word of wordsOf(text)) {
      period.words++
      for (const at of positions.get(word) ?? []) period.occurrences[at] = (period.occurrences[at] ?? 0) + 1
    }
  }
  return [...periods.values()].sort((a, b) => a.from - b.from)
}
