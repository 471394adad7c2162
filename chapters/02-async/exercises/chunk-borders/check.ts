/** Cuts texts in every possible way. */
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { counterexample } from '@repo/exercises/counterexample'
import { exercise, type Fault, type Step } from '@repo/exercises/exercise'
import { callingLine } from '@repo/exercises/line'
import fc from 'fast-check'

type Solution = typeof import('./exercise.ts')

const text = (minLength: number, maxLength: number) =>
  fc.string({ unit: fc.constantFrom('a', 'b'), minLength, maxLength })
const inputs = fc.record({ pattern: text(1, 4), text: text(0, 8) })

/** All ways to cut a text, those with the fewest cuts first, and each of them with an empty chunk at one place. */
function everyCut(text: string): string[][] {
  const places = Math.max(0, text.length - 1)
  const cuts = Array.from({ length: 2 ** places }, (_, bits) => {
    const borders = Array.from({ length: places }, (_, at) => at + 1).filter((at) => bits & (1 << (at - 1)))
    return [0, ...borders].map((from, at) => text.slice(from, borders[at]))
  })
  const withEmpty = cuts.map((chunks, at) => chunks.toSpliced(at % (chunks.length + 1), 0, ''))
  return [...cuts, ...withEmpty].sort((a, b) => a.length - b.length)
}

/** The positions in the whole text. */
function positions(pattern: string, text: string): number[] {
  const found: number[] = []
  for (let at = text.indexOf(pattern); at >= 0; at = text.indexOf(pattern, at + pattern.length)) found.push(at)
  return found
}

/** @param lines whether to note the lines that take chunks, which takes long */
function search(
  matches: Solution['matches'],
  pattern: string,
  chunks: readonly string[],
  lines: boolean,
): Fault | undefined {
  const text = chunks.join('')
  const expected = positions(pattern, text)
  const history: Step[] = []
  const found: number[] = []
  let taken = 0
  let at = 0
  let late: Fault | undefined
  const next = (): IteratorResult<string, undefined> => {
    const complete = expected.filter((position) => position + pattern.length <= taken)
    const line = lines ? callingLine() : undefined
    if (found.length < complete.length) {
      history.push({ who: 'chunks', what: 'another chunk is taken', line })
      late ??= {
        says: 'It takes another chunk before it yields a match.',
        history: [...history],
        why: 'The match is complete. The next chunk may come much later, or never.',
      }
    }
    const chunk = chunks[at++]
    if (chunk === undefined) return { done: true, value: undefined }
    taken += chunk.length
    history.push({ who: 'chunks', what: `“${chunk}”`, line })
    return { done: false, value: chunk }
  }
  for (const position of matches(pattern, { [Symbol.iterator]: () => ({ next }) })) {
    history.push({ who: 'matches', what: `yields ${position}` })
    found.push(position)
    if (found.length > text.length) break
  }
  const wrong = compare(found, expected, pattern, chunks) ?? late
  if (wrong === undefined) return undefined
  const list = (values: readonly number[]) => values.join(', ') || 'no match'
  return {
    history,
    ...wrong,
    expected: `${list(expected)} (the pattern is “${pattern}”)`,
    received: list(found),
  }
}

/** What is wrong with the positions. */
function compare(
  found: readonly number[],
  expected: readonly number[],
  pattern: string,
  chunks: readonly string[],
): Fault | undefined {
  const text = chunks.join('')
  const both = Array.from({ length: Math.max(found.length, expected.length) }, (_, at) => at)
  const at = both.find((at) => found[at] !== expected[at])
  if (at === undefined) return undefined
  const [theirs, right] = [found.at(at), expected.at(at)]
  if (theirs !== undefined && found.indexOf(theirs) < at) {
    return {
      says: 'The same match is yielded twice.',
      why: 'A rest as long as the pattern, or longer, may hold a whole match.',
    }
  }
  if (theirs !== undefined && !text.startsWith(pattern, theirs))
    return { says: 'At a position that it yields, there is no match.' }
  if (right !== undefined && (theirs === undefined || theirs > right)) {
    const across = chunkAt(chunks, right + pattern.length - 1) - chunkAt(chunks, right) + 1
    if (across === 1) return { says: 'A match within one chunk is missed.' }
    const why = 'What may be the beginning of a match must be kept until the rest of it has come.'
    return { says: `A match that lies across ${across} chunks is missed.`, why }
  }
  return {
    says: 'A match overlaps the one before it.',
    why: 'What belongs to a match must not be kept for the next one.',
  }
}

/** The number of the chunk with a position of the whole text. */
function chunkAt(chunks: readonly string[], position: number): number {
  let end = 0
  return chunks.findIndex((chunk) => {
    end += chunk.length
    return position < end
  })
}

const chunkBytes = 64 * 1024
const mostKept = 1_000_000

/** Searches ten megabytes, and looks how much of them is still in memory when the last chunk is taken. */
function measure(matches: Solution['matches']): Fault | undefined {
  setFlagsFromString('--expose-gc')
  const collectGarbage = runInNewContext('gc') as () => void
  const used = () => {
    collectGarbage()
    return process.memoryUsage().heapUsed
  }
  const chunks = 160
  let before = 0
  let kept = 0
  let line: number | undefined
  function* source() {
    for (let at = 1; at <= chunks; at++) {
      // The code is compiled, and has its buffers, after some chunks.
      if (at === chunks / 4) before = used()
      if (at === chunks) {
        kept = used() - before
        line = callingLine()
      }
      yield Buffer.alloc(chunkBytes, 'a').toString('latin1')
    }
  }
  for (const _ of matches('b', source()));
  if (kept <= mostKept) return undefined
  const megabytes = (bytes: number) => `${(bytes / 1e6).toFixed(1)} MB`
  return {
    says: 'It keeps the old chunks in memory.',
    expected: 'no more than the length of the pattern, “b”',
    received: `${megabytes(kept)} after ${megabytes((chunks * chunkBytes * 3) / 4)} of text without a match`,
    line,
    why: 'The text may be longer than the memory is large.',
  }
}

export default exercise<Solution>({
  async check({ matches }) {
    const fault = await counterexample(inputs, ({ pattern, text }) => {
      for (const chunks of everyCut(text)) {
        if (search(matches, pattern, chunks, false)) return search(matches, pattern, chunks, true)
      }
      return undefined
    })
    return fault ?? measure(matches)
  },
})
