/** The whole jobs of chapter 3: their inputs, the best program on one thread, and the same work on a pool of threads. */
import { createHash } from 'node:crypto'
import { writeFile } from 'node:fs/promises'
import { type Compared, compareAlone } from '@repo/common/workloads/all-pairs'
import { drawing, drawTile, tilesOf } from '@repo/common/workloads/mandelbrot'
import { contentOf } from '@repo/common/workloads/shingles'
import { stateOfTheUnion } from '@repo/common/workloads/texts'
import { compareInParallel } from '03-parallel/similarity/parallel'
import { fillNumbers } from '03-parallel/sort/input'
import { sortMemory } from '03-parallel/sort/numbers'
import { parallelRadixSort, radixMemory } from '03-parallel/sort/parallel-radix-sort'
import { radixSort } from '03-parallel/sort/radix-sort'
import { timed } from '../harness/turns.ts'
import type { Task } from './tasks.worker.ts'

/** Has a worker of a pool do a task, and returns its result. */
export type Run = (task: Task) => Promise<unknown>

/** A job of one size. Both ways return the milliseconds from its input to its result, which lie in memory. */
export interface Job {
  alone: () => Promise<number>
  onPool: (run: Run, workers: number) => Promise<number>
  /** The bytes of the latest result, equal for all ways and in all languages. */
  result: () => Uint8Array
  /** Writes the input for programs in another language. */
  write: (file: string) => Promise<void>
}

export interface JobKind {
  /** What is counted in a size. */
  what: string
  sizes: Record<'quick' | 'full', [number, number, number, number]>
  /** @param workers the most that will take part */
  prepare: (size: number, workers: number) => Job
}

/** Words in a shingle. */
const shingle = 3
/** The most similar pairs that are found. */
const count = 5

export const jobs = {
  mandelbrot: {
    what: 'points',
    sizes: { quick: [1_500, 6_000, 24_000, 96_000], full: [24_000, 96_000, 384_000, 1_536_000] },
    prepare(size) {
      // Of 8 by 5.
      const height = Math.round(Math.sqrt((size * 5) / 8))
      const width = Math.round(size / height)
      const view = { width, height, iterations: 2_000, centerX: -0.743643, centerY: 0.131825, zoom: 500 }
      // As many tiles as in the chapter's picture, up to their size there.
      const tiles = tilesOf(view, Math.min(128, Math.ceil(width / 16)))
      const picture = drawing(view)
      // Nobody gets the credit for another one's points.
      const by = (draw: () => unknown) => {
        picture.pixels.fill(0)
        return timed(draw)
      }
      return {
        alone: () => by(() => tiles.forEach((tile) => void drawTile(picture, tile))),
        onPool: (run) => by(() => Promise.all(tiles.map((tile) => run({ job: 'mandelbrot', picture, tile })))),
        result: () => picture.pixels,
        // NumPy does each step for a whole tile, so it is faster with fewer.
        write: (file) =>
          writeFile(file, JSON.stringify({ view, tiles: tilesOf(view, Math.min(128, Math.ceil(width / 4))) })),
      }
    },
  },
  sort: {
    what: 'numbers',
    sizes: { quick: [16_000, 62_500, 250_000, 1_000_000], full: [125_000, 500_000, 2_000_000, 8_000_000] },
    prepare(size, workers) {
      const original = new Int32Array(size)
      fillNumbers(original, 'random', 1)
      const memory = radixMemory(sortMemory('int32', size), workers)
      const by = (sort: () => unknown) => {
        memory.numbers.set(original)
        return timed(sort)
      }
      return {
        alone: () => by(() => radixSort(memory.numbers, memory.scratch)),
        onPool: (run, workers) =>
          by(() => parallelRadixSort(memory, workers, (task) => run({ job: 'sort', memory, task }))),
        result: () => bytesOf(memory.numbers),
        write: (file) => writeFile(file, original),
      }
    },
  },
  similarity: {
    what: 'texts',
    sizes: { quick: [8, 15, 29, 58], full: [29, 58, 117, 233] },
    prepare(size) {
      const all = stateOfTheUnion()
      // What is a word in a text beyond ASCII is decided beforehand: other languages would have it otherwise.
      const texts = Array.from({ length: size }, (_, at) =>
        Buffer.from(contentOf(all[Math.floor((at * all.length) / size)]?.text ?? '')).toString(),
      )
      let used: Compared | undefined
      const by = (compare: () => Promise<Compared>) =>
        timed(async () => {
          used = await compare()
        })
      return {
        alone: () => by(() => compareAlone(texts, shingle, { count, ...(used && { used }) })),
        onPool(run, workers) {
          const on = { workers, run: (task: object) => run({ job: 'similarity', task } as Task) }
          return by(() => compareInParallel(texts, shingle, { count, ...(used && { used }), ...on }))
        },
        result: () => bytesOf(used?.table.cells ?? new Uint8Array()),
        write: (file) => writeFile(file, JSON.stringify({ texts, size: shingle })),
      }
    },
  },
} satisfies Record<string, JobKind>

export type JobName = keyof typeof jobs

const bytesOf = ({ buffer, byteOffset, byteLength }: ArrayBufferView) => new Uint8Array(buffer, byteOffset, byteLength)

/** Returns what tells results apart. */
export const digestOf = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex')
