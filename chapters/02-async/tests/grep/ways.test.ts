import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type TemporaryFolder, temporaryFolder } from '@repo/common/process/temporary'
import { describeReal } from '@repo/common/testing/vitest'
import { stateOfTheUnionFiles } from '@repo/common/workloads/texts'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { chunkBytes, LineSplitter } from '../../src/grep/lines.ts'
import { type Count, lineCounter, searchFor } from '../../src/grep/pattern.ts'
import { grepAndCount, startWay, systemGrep } from '../../src/grep/processes.ts'
import { linesOf } from '../../src/grep/pull.ts'
import { type WayName, ways } from '../../src/grep/ways.ts'
import { everyWayCountsAsGrep, gnuGrep } from './gnu-grep.ts'

let folder: TemporaryFolder
beforeAll(async () => {
  folder = await temporaryFolder()
})
afterAll(() => folder[Symbol.asyncDispose]())

async function fileWith(content: string | Buffer, name = 'text'): Promise<string> {
  const file = join(folder.path, name)
  await writeFile(file, content)
  return file
}

/** The definition, on the whole text at once. */
function countIn(text: string, pattern: string, ignoreCase: boolean): Count {
  const matchesIn = lineCounter(searchFor(pattern, ignoreCase))
  const lines = text.split('\n')
  if (lines.at(-1) === '') lines.pop()
  const matches = lines.map(matchesIn).filter((count) => count !== undefined)
  return { occurrences: matches.reduce((sum, count) => sum + count, 0), lines: matches.length }
}

const names = Object.keys(ways) as WayName[]

describe.each(names)('%s', (name) => {
  const way = ways[name]

  it.each<[string, string, string | Buffer, Count]>([
    ['no text at all', 'war', '', { occurrences: 0, lines: 0 }],
    ['a last line without newline', 'war', 'peace\nwar war', { occurrences: 2, lines: 1 }],
    ['CRLF', 'war', 'war\r\nwar\r\n', { occurrences: 2, lines: 2 }],
    ['the end of a line before CR', 'war$', 'war\r\nwar\n', { occurrences: 1, lines: 1 }],
    ['the beginning of each line', '^war', 'war war\npre war\nwar\n', { occurrences: 2, lines: 2 }],
    ['matches that would overlap', 'anana', 'ananana anana\n', { occurrences: 2, lines: 1 }],
    ['a match over a line end, which is none', 'a\\sb', 'a\nb a b\n', { occurrences: 1, lines: 1 }],
    ['a class that would match a line end', 'a[^x]b', 'a\nb aüb\n', { occurrences: 1, lines: 1 }],
    ['empty matches', 'x*', 'axx\n\nb\n', { occurrences: 1, lines: 3 }],
    ['empty lines', '^$', '\n\na\n\n', { occurrences: 0, lines: 3 }],
    ['a byte order mark, which is a character', '^war', '\ufeffwar\nwar\n', { occurrences: 1, lines: 1 }],
    ['separators that are no line ends', 'a.b', 'a\u2028b a\u0085b a\rb\n', { occurrences: 3, lines: 1 }],
    ['characters of two, three and four bytes', 'é€.', 'é€😀 é€\né€x', { occurrences: 2, lines: 2 }],
  ])('counts %s', async (_, pattern, text, count) => {
    expect(await way(searchFor(pattern), [await fileWith(text, 'case')])).toEqual(count)
  })

  it('finds a match wherever the chunks are cut, even within a character', async () => {
    // The match and the 4-byte character begin at every place around the ends of the chunks of 64 and of 512 KiB.
    for (const size of [chunkBytes, 8 * chunkBytes]) {
      for (let before = size - 8; before <= size + 1; before++) {
        const text = `${'a'.repeat(1000)}\n${'b'.repeat(before - 1001)}w😀r\r\nw😀r`
        expect(Buffer.byteLength(text.slice(0, text.indexOf('w')))).toBe(before)
        const file = await fileWith(text, 'cut')
        for (const pattern of ['w😀r', 'w.r', 'w[😀]r']) {
          expect(await way(searchFor(pattern), [file]), `${pattern} at ${before}`).toEqual({ occurrences: 2, lines: 2 })
        }
      }
    }
  })

  it('does not join the last line of a file to the first of the next', async () => {
    const files = [await fileWith('wa', 'first'), await fileWith('r war', 'second')]
    expect(await way(searchFor('war'), files)).toEqual({ occurrences: 1, lines: 1 })
  })

  it('reads a line that is longer than its buffers', async () => {
    const text = `${'war '.repeat(400_000)}\nwar`
    expect(await way(searchFor('war'), [await fileWith(text, 'long')])).toEqual({ occurrences: 400_001, lines: 2 })
    expect(await way(searchFor('w.r'), [await fileWith(text, 'long')])).toEqual({ occurrences: 400_001, lines: 2 })
  })

  it('agrees with the definition on any text and pattern', async () => {
    const text = fc.string({ unit: fc.constantFrom('a', 'b', 'A', 'é', '😀', '\n', '\r', ' '), maxLength: 200 })
    const pattern = fc.constantFrom(
      'a',
      'ab',
      'aa',
      'é',
      '😀',
      'a|ab',
      'a+',
      '.b',
      '[^a]',
      'a$',
      '^b',
      '\\ba',
      'b?',
      'a\\s',
    )
    await fc.assert(
      fc.asyncProperty(text, pattern, fc.boolean(), async (content, source, ignoreCase) => {
        const file = await fileWith(content, 'any')
        expect(await way(searchFor(source, ignoreCase), [file])).toEqual(countIn(content, source, ignoreCase))
      }),
      { numRuns: 100 },
    )
  })
})

describe('lines', () => {
  it('are the same however the text is cut into pieces', async () => {
    const text = fc.string({ unit: fc.constantFrom('a', 'é', '\n', '\r'), maxLength: 40 })
    await fc.assert(
      fc.asyncProperty(text, fc.array(fc.nat(40)), async (whole, cuts) => {
        const places = [0, ...cuts.filter((cut) => cut <= whole.length).sort((a, b) => a - b), whole.length]
        const pieces = places.slice(1).map((end, at) => whole.slice(places[at], end))
        const expected = whole.split('\n')
        if (expected.at(-1) === '') expected.pop()
        const splitter = new LineSplitter()
        expect([...pieces.flatMap((piece) => [...splitter.push(piece)]), ...splitter.end()]).toEqual(expected)
        async function* source() {
          yield* pieces
        }
        expect(await Array.fromAsync(linesOf(source()))).toEqual(expected)
      }),
    )
  })
})

describeReal('the real grep', gnuGrep, () => {
  const files = stateOfTheUnionFiles()

  // As text, with the case ignored, as a regular expression, at the beginning of lines, and as one of three bytes.
  it.each([
    ['freedom', true],
    ['free(dom|ly)', false],
    ['^Fellow', false],
    ['—', false],
  ])('counts %j (ignoring the case: %j) in all addresses as every way does', everyWayCountsAsGrep)

  it('is left out only where another edition of Unicode explains that it counts otherwise', async () => {
    const file = await fileWith('é É e E', 'case')
    expect(await systemGrep(searchFor('é', true), [file], 2)).toHaveProperty('command')
    const leftOut = 'it counts 2: it knows another edition of Unicode, in which other letters differ only in case'
    expect(await systemGrep(searchFor('é', true), [file], 3)).toEqual({ leftOut })
    // Here nothing explains it, and the caller must see it.
    expect(await systemGrep(searchFor('é', false), [file], 3)).toHaveProperty('command')
    expect(await systemGrep(searchFor('e', true), [file], 3)).toHaveProperty('command')
  })

  it('is asked through two processes and their pipe, and says what it does not understand', async () => {
    const [file = ''] = files
    await expect(grepAndCount({ args: ['-P'], locale: 'C' }, '(', [file])).rejects.toThrow(/grep: /)
    await expect(grepAndCount({ args: ['-F'], locale: 'C' }, 'a', [file], AbortSignal.abort())).rejects.toThrow('abort')
  })
})

it('stays below 150 MB on a text of 100 MB', async () => {
  const texts = Buffer.concat(await Promise.all(stateOfTheUnionFiles().map((file) => readFile(file))))
  const lines = Buffer.from(texts.toString().replaceAll('. ', '.\n'))
  const file = await fileWith(Buffer.concat(new Array(Math.ceil(100e6 / lines.length)).fill(lines)), 'large')
  // The other ways, and the longest lines, have their turn in the long test.
  for (const way of ['pull async generators', 'bytes, not decoded'] as const) {
    await using process = await startWay(way)
    // Alone, the process needs some 60 MB.
    const { peakRssMb } = await process.search(searchFor('free(dom|ly)'), [file])
    expect(peakRssMb, way).toBeLessThan(150)
  }
})
