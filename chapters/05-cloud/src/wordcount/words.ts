/** Words and how often each occurs: the work that this chapter distributes. */

export type Counts = Map<string, number>

/** Counts the words of a text. A word is a run of letters a to z and apostrophes in the lower-cased text. */
export function countWords(text: string): Counts {
  const counts: Counts = new Map()
  for (const word of text.toLowerCase().match(/[a-z']+/g) ?? []) counts.set(word, (counts.get(word) ?? 0) + 1)
  return counts
}

/** Adds counts to others. */
export function addCounts(to: Counts, counts: Iterable<[string, number]>): void {
  for (const [word, count] of counts) to.set(word, (to.get(word) ?? 0) + count)
}

/** How many words there are, each as often as it occurs. */
export function wordsIn(counts: Counts): number {
  return counts.values().reduce((sum, count) => sum + count, 0)
}

/** The `most` words that occur most often, those of the same count in the order of the alphabet. */
export function topWords(counts: Counts, most: number): { word: string; count: number }[] {
  return [...counts]
    .map(([word, count]) => ({ word, count }))
    .sort((a, b) => b.count - a.count || (a.word < b.word ? -1 : 1))
    .slice(0, most)
}
