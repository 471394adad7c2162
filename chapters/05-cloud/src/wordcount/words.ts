/** Counting words: the work that this chapter distributes. */

/** How often each word occurs. */
export type Counts = Map<string, number>

/** Adds counts to the ones in `to`. */
export function addCounts(to: Counts, counts: Iterable<[string, number]>): void {
  for (const [word, count] of counts) to.set(word, (to.get(word) ?? 0) + count)
}

/** The number of words, counting every occurrence. */
export function wordsIn(counts: Counts): number {
  return counts.values().reduce((sum, count) => sum + count, 0)
}

/** The `most` most frequent words. Words of the same count are in alphabetical order. */
export function topWords(counts: Counts, most: number): { word: string; count: number }[] {
  return [...counts]
    .map(([word, count]) => ({ word, count }))
    .sort((a, b) => b.count - a.count || (a.word < b.word ? -1 : 1))
    .slice(0, most)
}
