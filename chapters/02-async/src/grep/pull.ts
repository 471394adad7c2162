/** Way 2, pull: async generators, each of which asks the one before it for the next value. The sink is in charge. */
import { open } from 'node:fs/promises'
import { StringDecoder } from 'node:string_decoder'
import { chunkBytes, LineSplitter } from './lines.ts'
import { type Count, lineCounter, type Search } from './pattern.ts'

/** The text of a file in pieces. The next piece is read when it is asked for; leaving the loop closes the file. */
export async function* piecesOf(file: string): AsyncGenerator<string, void, void> {
  await using handle = await open(file)
  const decoder = new StringDecoder('utf8')
  const buffer = Buffer.allocUnsafe(chunkBytes)
  for (;;) {
    const { bytesRead } = await handle.read(buffer)
    if (bytesRead === 0) return
    yield decoder.write(buffer.subarray(0, bytesRead))
  }
}

// #region stages
/** The lines of a text that comes in pieces. */
export async function* linesOf(pieces: AsyncIterable<string>): AsyncGenerator<string, void, void> {
  const splitter = new LineSplitter()
  for await (const piece of pieces) yield* splitter.push(piece)
  yield* splitter.end()
}

/** For each line that matches, the number of matches in it. */
export async function* matchesOf(search: Search, lines: AsyncIterable<string>): AsyncGenerator<number, void, void> {
  const matchesIn = lineCounter(search)
  for await (const line of lines) {
    const matches = matchesIn(line)
    if (matches !== undefined) yield matches
  }
}
// #endregion stages

export async function pullGenerators(search: Search, files: string[]): Promise<Count> {
  const total = { occurrences: 0, lines: 0 }
  for (const file of files) {
    for await (const matches of matchesOf(search, linesOf(piecesOf(file)))) {
      total.occurrences += matches
      total.lines++
    }
  }
  return total
}
