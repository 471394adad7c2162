/** The whole job against brute force: texts of many kinds, and every collision that hashes could have. */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  type Compared,
  compareAlone,
  mostCells,
  mostSimilar,
  type PhaseName,
  phaseNames,
  type ScoreTable,
} from '../../src/workloads/all-pairs.ts'
import * as phases from '../../src/workloads/shingle-index.ts'
import { indexShingles, indexTexts } from '../../src/workloads/shingle-lists.ts'
import { contentOf } from '../../src/workloads/shingles.ts'
import { stateOfTheUnion } from '../../src/workloads/texts.ts'
import { layOut, numberWords, placeOf } from '../../src/workloads/word-numbers.ts'
import { fewWords, mostSimilarByDefinition, scoresByDefinition, shinglesByDefinition } from './by-definition.ts'

const compare = (texts: string[], size: number, used?: Compared) => compareAlone(texts, size, { count: 5, used })

const rowsOf = ({ side, cells }: ScoreTable) =>
  Array.from({ length: side }, (_, row) => Array.from(cells.subarray(row * side, (row + 1) * side)))

/** Words in long texts: a word for each number, of letters only. */
const wordFor = (number: number) => `w${number.toString(26).replaceAll(/\d/g, (digit) => 'qrstuvwxyz'[Number(digit)])}`

describe('all pairs', () => {
  it('have the scores, the sizes and the order of brute force, for any texts and any size', async () => {
    const textLists = fc.array(fewWords, { minLength: 2, maxLength: 9 })
    await fc.assert(
      fc.asyncProperty(textLists, fc.integer({ min: 1, max: 7 }), async (texts, size) => {
        const { table, top, index } = await compare(texts, size)
        const expected = scoresByDefinition(texts, size)
        expect(rowsOf(table)).toEqual(expected)
        expect(Array.from(index.sizes)).toEqual(shinglesByDefinition(texts, size).map((set) => set.size))
        expect(top).toEqual(mostSimilarByDefinition(expected, 5))
      }),
    )
  })

  it.each([1, 2, 3, 50])('of real addresses with shingles of %i words', async (size) => {
    const texts = stateOfTheUnion()
      .slice(75, 83)
      .map(({ text }) => text.replaceAll(/\P{ASCII}/gu, ' '))
    texts.push(texts[0], '', 'alone')
    const expected = scoresByDefinition(texts, size)
    expect(rowsOf((await compare(texts, size)).table)).toEqual(expected)
    expect(expected[0][8]).toBe(1)
  })

  it.each([
    ['empty texts', ['', '', '']],
    ['texts of one word', ['one', 'One', 'two']],
    ['texts of signs', ['1 + 1 = 2', '???', '…']],
    ['texts that end in the middle of a word', ["people's", "people'", 'people']],
    ['Russian', ['Быстрая лиса бежит', 'быстрая ЛИСА спит', 'лиса бежит']],
  ])('of %s', async (_, texts) => {
    for (const size of [1, 2, 50]) {
      expect(rowsOf((await compare(texts, size)).table)).toEqual(scoresByDefinition(texts, size))
    }
  })

  it('of Chinese texts, which have no spaces', async () => {
    const { table, index } = await compare(['我们在北京学习计算机。', '我们在北京学习计算机', '他们在上海学习音乐'], 1)
    expect(table.cells[1]).toBe(1)
    expect(table.cells[2]).toBeGreaterThan(0)
    expect(table.cells[2]).toBeLessThan(1)
    expect(index.sizes[0]).toBeGreaterThan(3)
  })

  it('are the same in memory that was used before', async () => {
    const first = await compare(['a b c d', 'b c d e', 'x y'], 2)
    const texts = ['e d c b', 'x y z x', 'd c']
    const again = await compare(texts, 2, first)
    expect(again.index.words.buffer).toBe(first.index.words.buffer)
    expect(rowsOf(again.table)).toEqual(scoresByDefinition(texts, 2))
  })

  it('end each phase once, in order', async () => {
    const ended: PhaseName[] = []
    await compareAlone(['a b', 'b c'], 1, { count: 1, onPhase: (name) => ended.push(name) })
    expect(ended).toEqual(phaseNames)
  })

  it('of more texts than the table has rows: a cell has the highest score of its pairs', async () => {
    const count = 2 * mostCells + 1
    const texts = Array.from({ length: count }, (_, at) => `${wordFor(at)} ${wordFor(at + 1)}`)
    texts[count - 1] = texts[7]
    const { table, top } = await compare(texts, 1)
    expect(table.side).toBe(mostCells)
    expect(top[0]).toEqual({ a: 7, b: count - 1, score: 1 })
    const cell = (a: number, b: number) =>
      Math.floor((a * mostCells) / count) * mostCells + Math.floor((b * mostCells) / count)
    expect([table.cells[cell(7, count - 1)], table.cells[cell(count - 1, 7)]]).toEqual([1, 1])
    expect([table.cells[cell(9, 11)], table.cells[cell(11, 13)], table.cells[cell(20, 900)]]).toEqual([1 / 3, 1 / 3, 0])
  })
})

describe('the most similar', () => {
  it('come in the order of their scores, equal ones in the order of the texts', () => {
    const scores: [number, number, number][] = [
      [2, 3, 0.3],
      [1, 2, 0.5],
      [0, 3, 0.2],
      [0, 2, 0.5],
      [1, 3, 0],
      [0, 1, 0.1],
    ]
    const pairs = scores.map(([a, b, score]) => ({ a, b, score }))
    expect(mostSimilar(pairs, 3)).toEqual([
      { a: 0, b: 2, score: 0.5 },
      { a: 1, b: 2, score: 0.5 },
      { a: 2, b: 3, score: 0.3 },
    ])
  })
})

describe('an index of shingles', () => {
  it('is right when all hashes are the same', () => {
    // Six words of 11 bits are more than what a hash and a check hold.
    const texts = ['a b c d e f a b c d e f', 'x c d e f a b c', 'a b c d e f', 'd a b c d e f a b c d e f']
    const indexed = (forced: boolean) => {
      const index = phases.newIndex(texts, 6, { partitions: 1 })
      expect(phases.isExact(index)).toBe(false)
      phases.countShingles(index, phases.piecesOf(index))
      phases.placePartitions(index)
      phases.writeShingles(index, phases.piecesOf(index))
      for (let at = 0; forced && at < index.shingles.length; at += 3) index.shingles.fill(7, at, at + 2)
      indexShingles(index, [0])
      return { sizes: Array.from(index.sizes), lists: listsOf(index) }
    }
    expect(indexed(true)).toEqual(indexed(false))
    expect(indexed(true).sizes).toEqual([6, 3, 1, 7])
  })

  /** The texts listed for each word. */
  function listsOf(index: phases.ShingleIndex) {
    const { lists, holders, blocks, lengths, size } = index
    return Array.from(index.sizes, (_, text) => {
      const found: number[][] = []
      for (let block = blocks[text]; block < blocks[text + 1]; block++) {
        for (let word = 0; word <= lengths[block] - size; word++) {
          const list = lists[placeOf(index, block) + word]
          const end = list === 0 ? list : holders.indexOf(text, list - 1) + 1
          found.push(Array.from(holders.subarray(Math.max(0, list - 1), end)))
        }
      }
      return found
    })
  }

  it('is the same with texts in one block or in many, each with some words or none of its own', () => {
    const texts = fc.array(fewWords, { minLength: 1, maxLength: 5 })
    const blockBytes = fc.integer({ min: 1, max: 40 })
    fc.assert(
      fc.property(texts, fc.integer({ min: 1, max: 7 }), blockBytes, (some, size, length) => {
        const contents = some.map((text) => contentOf(text))
        const [whole, cut] = [1e9, length].map((blockBytes) => indexTexts(contents, size, { blockBytes }))
        expect(cut.sizes).toEqual(whole.sizes)
        expect(listsOf(cut)).toEqual(listsOf(whole))
      }),
    )
  })

  it('is the same with any number of partitions, and with a table of words that is too small at first', () => {
    const texts = Array.from({ length: 70 }, (_, text) =>
      Array.from({ length: 90 }, (_, at) => wordFor((text * text + at * at * at) % 1_500)).join(' '),
    )
    const whole = indexTexts(texts, 2, { partitions: 1 })
    const many = indexTexts(texts, 2, { partitions: 64, slots: 8 })
    expect(many.slots.length).toBeGreaterThan(8)
    expect(many.sizes).toEqual(whole.sizes)
    expect(listsOf(many)).toEqual(listsOf(whole))
  })
})

describe('the numbers of words', () => {
  /** The numbers of the words of the first text. */
  function numbersOf(text: string) {
    const texts = layOut([contentOf(text)])
    expect(numberWords(texts, 0)).toBe(true)
    return Array.from(texts.words.subarray(0, texts.lengths[0]))
  }

  it('are equal for equal words, in either case, and only for them', () => {
    const [a, b, ...others] = numbersOf("Union UNION Onion union's unio union\u0301 n o i n u")
    expect(a).toBe(b)
    expect(new Set([a, ...others]).size).toBe(9)
  })

  it('differ for words that have the same hash', () => {
    // Letters that are 32 places apart are rotated alike.
    const [a, b, c] = numbersOf(`a${'x'.repeat(31)}b b${'x'.repeat(31)}a a${'x'.repeat(31)}b`)
    expect(a).not.toBe(b)
    expect(a).toBe(c)
  })

  it('need texts below 2 GB', () => {
    const huge = { length: 2 ** 31 } as Uint8Array
    expect(() => layOut([huge])).toThrow(new RangeError('texts: received 2147483649 bytes; accepts fewer than 2 GB'))
  })
})
