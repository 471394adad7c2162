/** Sums on processes that have threads. */
import { availableParallelism } from 'node:os'
import { divide, type Range } from '@repo/common/async/ranges'
import { accepting } from '@repo/common/example/options'
import { type Program, startProgram } from '@repo/common/process/child'
import { AsyncDisposableStack } from '@whatwg-node/disposablestack'
import { bitsOf, chunks, type Part, type PartSum, pairwiseSum } from './sum.ts'

/** Processes × threads in each of them. */
export interface Layout {
  processes: number
  threads: number
}

const mostProcesses = 16
const mostThreads = 16

/** An option: layouts as `2x1,1x2`. */
export const layoutList = accepting(
  `up to 10 different layouts PROCESSESxTHREADS, of at most ${mostProcesses} processes and ${mostThreads} threads in each: 1x1,2x1,1x2`,
  (text) => {
    const layouts = text.split(',').map((part) => {
      const [, processes, threads] = /^\s*(\d+)\s*[x×]\s*(\d+)\s*$/.exec(part) ?? []
      return { processes: Number(processes ?? 0), threads: Number(threads ?? 0) }
    })
    const possible = layouts.every(
      ({ processes, threads }) =>
        processes >= 1 && processes <= mostProcesses && threads >= 1 && threads <= mostThreads,
    )
    const distinct = new Set(layouts.map(layoutName)).size === layouts.length
    return possible && distinct && layouts.length <= 10 ? layouts : undefined
  },
  (layouts) => layouts.map(layoutName).join(),
)

export function layoutName({ processes, threads }: Layout): string {
  return `${processes}×${threads}`
}

/** One worker; as many as cores, as processes, as threads and as both; and twice as many as cores. */
export function layoutsFor(cores = availableParallelism()): Layout[] {
  const most = Math.min(cores, mostThreads)
  const layouts = [
    { processes: 1, threads: 1 },
    { processes: most, threads: 1 },
    { processes: 2, threads: Math.max(1, most >>> 1) },
    { processes: 1, threads: most },
    { processes: 2, threads: most },
  ]
  return [...new Map(layouts.map((layout) => [layoutName(layout), layout])).values()]
}

/** The chunks that each process adds up, and of those the ones of each of its threads. */
export function partsOf({ processes, threads }: Layout): (Range & { threads: Range[] })[] {
  return divide({ from: 0, to: chunks }, processes).map((part) => ({ ...part, threads: divide(part, threads) }))
}

/** The lengths of ranges: `512`, or `341–342` where they are not all the same. */
export function lengthsOf(ranges: readonly Range[]): string {
  const lengths = ranges.map(({ from, to }) => to - from)
  const [least, most] = [Math.min(...lengths), Math.max(...lengths)]
  return least === most ? String(least) : `${least}–${most}`
}

/** What a layout's processes may take of memory, from measurements with some room: 110 MB each, 25 MB for a thread. */
export function memoryFor({ processes, threads }: Layout): number {
  return processes * (110e6 + threads * 25e6)
}

export interface LayoutSum {
  /** The same bits for every layout. */
  sum: number
  bits: string
  /** The same numbers added in the order of the workers: its last digits depend on the layout. */
  inOrderOfWorkers: number
  /** Of all processes. */
  memoryBytes: number
}

export interface RunningLayout extends AsyncDisposable {
  /** How long it took until all processes and threads were there. */
  startMs: number
  sum: (terms: number) => Promise<LayoutSum>
}

/** Starts a layout's processes, all at once; they end when it is disposed of or aborted. */
export async function startLayout({ processes, threads }: Layout, signal?: AbortSignal): Promise<RunningLayout> {
  const begin = performance.now()
  await using stack = new AsyncDisposableStack()
  const file = new URL('./sum.program.ts', import.meta.url)
  const starting = Array.from({ length: processes }, () =>
    startProgram(file, { args: [String(threads)], serialization: 'advanced', signal }),
  )
  // Those that did start are ended also when another one did not.
  const settled = await Promise.allSettled(starting)
  const programs = settled.flatMap((start) => (start.status === 'fulfilled' ? [stack.use(start.value)] : []))
  await Promise.all(starting)
  const startMs = performance.now() - begin

  const owned = stack.move()
  return {
    startMs,
    async sum(terms) {
      const parts = divide({ from: 0, to: chunks }, processes)
      const answers = await Promise.all(parts.map((range, at) => ask(programs[at], { terms, range })))
      const sums = Float64Array.from(answers.flatMap((answer) => [...answer.sums]))
      const sum = pairwiseSum(sums)
      return {
        sum,
        bits: bitsOf(sum),
        inOrderOfWorkers: answers.reduce((sum, answer) => sum + answer.inOrderOfWorkers, 0),
        memoryBytes: answers.reduce((bytes, answer) => bytes + answer.memoryBytes, 0),
      }
    },
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  }
}

/** Sends a process its part; its failure, or its end, is this one's. */
async function ask(program: Program<undefined> | undefined, part: Part): Promise<PartSum> {
  if (!program) throw new RangeError('more parts than processes')
  const answered = Promise.withResolvers<PartSum>()
  program.process.once('message', answered.resolve)
  program.exited.then(({ code, signal }) => {
    answered.reject(new Error(`a process of the sum ended with ${signal ?? code} before it answered`))
  })
  program.process.send(part)
  return await answered.promise
}
