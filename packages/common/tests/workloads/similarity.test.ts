/** The layout of the sets, and the comparison of their rows against brute force, on real and on hostile texts. */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { shingleSets, wordsOf } from '../../src/workloads/shingles.ts'
import * as similarity from '../../src/workloads/similarity.ts'
import { stateOfTheUnion } from '../../src/workloads/texts.ts'
import { scoresByDefinition, fewWords as text } from './by-definition.ts'

/** Compares all rows, in one band or several. */
function compared(texts: string[], size: number, bands = 1): similarity.Scores {
  const comparison = similarity.comparisonOf(shingleSets(texts, size))
  for (const band of similarity.splitEvenly(comparison.sets, bands)) similarity.compareRows(comparison, band)
  return comparison.scores
}

/** `compareRows` fills in what lies right of the diagonal. */
const upperHalf = (scores: number[][]) => scores.flatMap((row, a) => row.map((score, b) => (b > a ? score : 0)))

describe('scores', () => {
  it('agree with the definition, for any texts and any size', () => {
    fc.assert(
      fc.property(fc.array(text, { minLength: 2, maxLength: 8 }), fc.integer({ min: 1, max: 7 }), (texts, size) => {
        expect(Array.from(compared(texts, size))).toEqual(upperHalf(scoresByDefinition(texts, size)))
      }),
    )
  })

  it.each([1, 2, 3, 6, 9])('of real addresses with shingles of %i words agree with the definition', (size) => {
    const texts = stateOfTheUnion()
      .slice(75, 87)
      .map((address) => address.text)
    expect(Array.from(compared(texts, size))).toEqual(upperHalf(scoresByDefinition(texts, size)))
  })

  it('stay exact when a shingle in base V no longer fits a double', () => {
    const many = Array.from(
      { length: 6_000 },
      (_, at) => `w${at.toString(26).replaceAll(/\d/g, (digit) => 'qrstuvwxyz'[+digit])}`,
    )
    const texts = [many.join(' '), [...many.slice(3_000), ...many.slice(0, 3_000)].join(' ')]
    expect(new Set(wordsOf(texts[0])).size).toBe(6_000)
    expect(Array.from(compared(texts, 8))).toEqual(upperHalf(scoresByDefinition(texts, 8)))
  })
})

describe('the words of a text', () => {
  it.each([
    ["The people's  UNION—1790", ['the', "people's", 'union']],
    ['The people’s ﬁne naïve cafe\u0301', ['the', "people's", 'fine', 'naïve', 'café']],
    ['Straßen über Öl: 3 Wörter', ['strassen', 'über', 'öl', 'wörter']],
    ['STRASSE Straße', ['strasse', 'strasse']],
    ['‘no more war’ Hawai‘i Hawaiʻi', ["'no", 'more', "war'", "hawai'i", "hawai'i"]],
    ['كتـــاب كِتَاب', ['كتاب', 'كتاب']],
    ['Быстрая лиса, ΟΔΟΣ', ['быстрая', 'лиса', 'οδος']],
    ['हिन्दी में शब्द', ['हिन्दी', 'में', 'शब्द']],
    ['so\u00adft می\u200cخواهم', ['soft', 'میخواهم']],
    ['ភាសា\u200bខ្មែរ one\u200btwo', ['ភាសា', 'ខ្មែរ', 'one', 'two']],
    ['שָׁלוֹם שלום', ['שלום', 'שלום']],
    ['한국어 단어', ['한국어', '단어']],
    ['ＡＢＣ 12 — 🙂', ['abc']],
  ])('%s', (text, words) => {
    expect(wordsOf(text)).toEqual(words)
  })

  it('may be many between two spaces', () => {
    // More than a call can have arguments.
    expect(wordsOf('云，'.repeat(200_000))).toHaveLength(200_000)
  })

  it.each(['我们在北京学习计算机', 'ภาษาไทยไม่มีช่องว่าง', '私たちは東京で働いています'])(
    'are found in a script without spaces: %s',
    (text) => {
      const words = wordsOf(text)
      expect(words.join('')).toBe(text.normalize('NFKC'))
      expect(words.length).toBeGreaterThan(3)
      expect(words.length).toBeLessThan([...text].length)
    },
  )

  it('make equal texts equal and different ones different, in Russian too', () => {
    const fox = 'Быстрая коричневая лиса перепрыгивает через ленивую собаку и бежит дальше в лес.'
    const other = 'Совсем другой текст про вычисления на многих машинах сразу и про их ошибки.'
    expect(Array.from(compared([fox, fox.normalize('NFD').toUpperCase(), other], 3))).toEqual([
      0, 1, 0, 0, 0, 0, 0, 0, 0,
    ])
  })
})

describe('sets of shingles', () => {
  it('count all shingles, but contain only those of two texts or more', () => {
    const sets = shingleSets(['a b c d', 'b c d e', ''], 2)
    expect(Array.from(sets.sizes)).toEqual([3, 3, 0])
    expect(sets.vocabulary).toBe(2)
    expect(Array.from(sets.offsets)).toEqual([0, 2, 4, 4])
  })

  it('lie in shared memory', () => {
    const sets = shingleSets(['a b', 'a b'], 1)
    for (const part of [sets.sizes, sets.offsets, sets.shared]) expect(part.buffer).toBeInstanceOf(SharedArrayBuffer)
  })
})

describe('bands', () => {
  it('cover every row once, in order', () => {
    fc.assert(
      fc.property(fc.array(text, { minLength: 1, maxLength: 30 }), fc.integer({ min: 1, max: 50 }), (texts, parts) => {
        const bands = similarity.splitEvenly(shingleSets(texts, 1), parts)
        const rows = bands.flatMap(({ from, to }) => Array.from({ length: to - from }, (_, at) => from + at))
        expect(rows).toEqual(texts.map((_, at) => at))
        expect(bands.length).toBeLessThanOrEqual(Math.max(1, parts))
      }),
    )
  })
})
