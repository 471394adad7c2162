/** Way 1, push: coroutines, each of which hands its values to the next. The source is in charge. */
import { closeSync, openSync, readSync } from 'node:fs'
import { StringDecoder } from 'node:string_decoder'
import { coroutine, type Sink } from '../coroutines/coroutine.ts'
import { chunkBytes, LineSplitter } from './lines.ts'
import { type Count, lineCounter, type Search } from './pattern.ts'

/** Reads files in chunks and pushes each line into `target`. Reading blocks this thread: a coroutine cannot wait. */
export function cat(files: Iterable<string>, target: Sink<string>): void {
  const buffer = Buffer.allocUnsafe(chunkBytes)
  for (const file of files) {
    // Keeps the first bytes of a character that is cut in two until the others arrive.
    const decoder = new StringDecoder('utf8')
    const splitter = new LineSplitter()
    const descriptor = openSync(file, 'r')
    try {
      for (;;) {
        const size = readSync(descriptor, buffer, 0, buffer.length, null)
        if (size === 0) break
        for (const line of splitter.push(decoder.write(buffer.subarray(0, size)))) target.next(line)
      }
    } finally {
      closeSync(descriptor)
    }
    for (const line of splitter.end()) target.next(line)
  }
}

// #region stages
/** Takes lines and pushes the number of matches in each matching line into `target`. */
export const grep = coroutine(function* (search: Search, target: Sink<number>): Sink<string> {
  const matchesIn = lineCounter(search)
  for (;;) {
    const matches = matchesIn(yield)
    if (matches !== undefined) target.next(matches)
  }
})

/** Takes the number of matches in each matching line and adds it to `total`. */
export const count = coroutine(function* (total: Count): Sink<number> {
  for (;;) {
    total.occurrences += yield
    total.lines++
  }
})
// #endregion stages

export function pushCoroutines(search: Search, files: string[]): Count {
  const total = { occurrences: 0, lines: 0 }
  cat(files, grep(search, count(total)))
  return total
}
