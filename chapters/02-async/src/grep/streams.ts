/** Way 3: Node streams. Each stage has a buffer; when it is full, the stage before it waits. */
import { createReadStream } from 'node:fs'
import { Transform, Writable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { chunkBytes, LineSplitter } from './lines.ts'
import { type Count, lineCounter, type Search } from './pattern.ts'

// #region pipeline
export async function nodeStreams(search: Search, files: string[]): Promise<Count> {
  const total = { occurrences: 0, lines: 0 }
  for (const file of files) {
    await pipeline(
      createReadStream(file, { encoding: 'utf8', highWaterMark: chunkBytes }),
      splitIntoLines(),
      findMatches(search),
      sumInto(total),
    )
  }
  return total
}
// #endregion pipeline

function splitIntoLines(): Transform {
  const splitter = new LineSplitter()
  return new Transform({
    decodeStrings: false,
    readableObjectMode: true,
    transform(piece: string, _, done) {
      // In object mode, because an empty line would end a stream of strings.
      for (const line of splitter.push(piece)) this.push(line)
      done()
    },
    flush(done) {
      for (const line of splitter.end()) this.push(line)
      done()
    },
  })
}

function findMatches(search: Search): Transform {
  const matchesIn = lineCounter(search)
  return new Transform({
    objectMode: true,
    transform: (line: string, _, done) => done(null, matchesIn(line)),
  })
}

function sumInto(total: Count): Writable {
  return new Writable({
    objectMode: true,
    write(matches: number, _, done) {
      total.occurrences += matches
      total.lines++
      done()
    },
  })
}
