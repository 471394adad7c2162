/** Several patterns in one pass: every line is handed to all of them. */
import { broadcast } from '../coroutines/coroutine.ts'
import type { Count, Search } from './pattern.ts'
import { cat, count, grep } from './push.ts'

/** Counts every search in the files while reading them once; returns the counts in the order of the searches. */
export function countAll(searches: Search[], files: string[]): Count[] {
  const totals = searches.map(() => ({ occurrences: 0, lines: 0 }))
  cat(files, broadcast(searches.map((search, at) => grep(search, count(totals[at] ?? { occurrences: 0, lines: 0 })))))
  return totals
}

export interface Period {
  /** The first year. */
  from: number
  /** How many words were said. */
  words: number
  /** How often each of the chosen words was said, in their order. */
  occurrences: number[]
}

/**
 * How often words were said in each period of `years` years, one pass over each text. Words count whole and in any case.
 *
 * @param texts what was said when
 */
export function overTime(words: string[], texts: Iterable<{ year: number; text: string }>, years = 10): Period[] {
  const periods = new Map<number, Period>()
  const position = new Map(words.map((word, at) => [word.toLowerCase(), at]))
  for (const { year, text } of texts) {
    const from = year - (year % years)
    const period = periods.get(from) ?? { from, words: 0, occurrences: words.map(() => 0) }
    periods.set(from, period)
    for (const [word] of text.toLowerCase().matchAll(/\p{L}+(?:['’]\p{L}+)*/gu)) {
      period.words++
      const at = position.get(word)
      if (at !== undefined) period.occurrences[at] = (period.occurrences[at] ?? 0) + 1
    }
  }
  return [...periods.values()].sort((a, b) => a.from - b.from)
}
