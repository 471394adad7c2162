/** Brute force for the tests: similarity by its definition, with the first program that one would write. */
import fc from 'fast-check'
import type { Pair } from '../../src/workloads/similarity.ts'

/** Sets of strings, their intersection and union counted one by one. Returns the scores row by row, 1 on the diagonal. */
export function scoresByDefinition(texts: readonly string[], size: number): number[][] {
  const sets = shinglesByDefinition(texts, size)
  return sets.map((a, row) =>
    sets.map((b, column) => {
      const union = a.union(b).size
      return row === column ? 1 : union === 0 ? 0 : a.intersection(b).size / union
    }),
  )
}

export function shinglesByDefinition(texts: readonly string[], size: number): Set<string>[] {
  return texts.map((text) => {
    const words = text.toLowerCase().match(/[\p{L}\p{M}']+/gu) ?? []
    const shingles = new Set<string>()
    for (let at = 0; at + size <= words.length; at++) shingles.add(words.slice(at, at + size).join(' '))
    return shingles
  })
}

/** The pairs with the highest scores, from all pairs in order. */
export function mostSimilarByDefinition(scores: readonly number[][], count: number): Pair[] {
  const pairs = scores.flatMap((row, a) => row.slice(a + 1).map((score, at) => ({ a, b: a + 1 + at, score })))
  return pairs.sort((p, q) => q.score - p.score).slice(0, count)
}

/** Texts of a few short words, so that shingles repeat within and between texts. */
export const fewWords = fc
  .array(
    fc.constantFrom('we', 'the', 'people', "people's", 'Of', 'UNION', 'representatives', '—', '1790', 'мир', 'été'),
    {
      maxLength: 40,
    },
  )
  .map((words) => words.join(' '))
