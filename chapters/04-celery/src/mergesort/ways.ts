/** The two ways to have runs of numbers sorted by workers: inside the messages as JSON, or as bytes in a store beside them. */
import { randomUUID } from 'node:crypto'
import { bytesOf, cut, mergeAsTheyCome, mergeTwo, type Numbers, numbersIn } from './sort.ts'
import { now, type SortedBehind, type SortedInMessage, type Span } from './tasks.ts'

/** The queue and the store beside it, and what the two ways do with them. */
export interface Sorters {
  /** Where keys in the store begin. */
  prefix: string
  /** Sends a group of tasks; fulfilled when they are sent, with a promise for each result. */
  sortInMessages: (runs: number[][]) => Promise<Promise<SortedInMessage>[]>
  /** Sends a task that sorts what is behind a key; fulfilled when that is done. */
  sortBehind: (key: string, bytes: number) => Promise<SortedBehind>
  put: (key: string, value: Buffer) => Promise<unknown>
  fetch: (key: string) => Promise<Buffer | null>
  remove: (keys: string[]) => Promise<unknown>
}

/** What one sorting took, and where. */
export interface Sorting {
  sorted: Numbers
  ms: number
  /** What was sent to the workers, without what is around it; about as much came back. */
  bytes: number
  /** What each process did; the client is called `client`. */
  lanes: Map<string, Span[]>
}

export type Way = (sorters: Sorters, numbers: Numbers, chunks: number) => Promise<Sorting>

/** As the book does it: a group of tasks with the numbers as arguments, and the sorted numbers as results. */
export const inMessages: Way = async (sorters, numbers, chunks) => {
  const log = startLog()
  const runs = cut(numbers, chunks).map((run) => Array.from(run))
  const results = await log.during('send', sorters.sortInMessages(runs))
  const sorted = await log.gather(
    results.map(async (result) => {
      const { numbers, ...where } = await result
      log.take(where)
      return Int32Array.from(numbers)
    }),
  )
  const timed = log.stop()
  return { sorted, bytes: runs.reduce((sum, run) => sum + JSON.stringify(run).length, 0), ...timed }
}

/** The bytes of each run under a key; a task gets the key, and leaves the sorted run under it. */
export const byReference: Way = async (sorters, numbers, chunks) => {
  const log = startLog()
  const keys = Array.from({ length: chunks }, () => `${sorters.prefix}:bytes:${randomUUID()}`)
  try {
    const runs = cut(numbers, chunks).map(async (run, chunk) => {
      const key = keys[chunk] ?? ''
      await log.during('send', sorters.put(key, bytesOf(run)))
      log.take(await sorters.sortBehind(key, run.byteLength))
      const sorted = await log.during('receive', sorters.fetch(key))
      if (!sorted) throw new Error(`${key} is gone: the sorted run was not fetched in time`)
      return numbersIn(sorted)
    })
    const sorted = await log.gather(runs)
    return { sorted, bytes: numbers.byteLength, ...log.stop() }
  } finally {
    await sorters.remove(keys).catch(() => {})
  }
}

/** Takes down what happens when. */
function startLog() {
  const begin = performance.now()
  const client: Span[] = []
  const lanes = new Map([['client', client]])
  return {
    async during<T>(doing: Span['doing'], work: Promise<T>): Promise<T> {
      const from = now()
      const value = await work
      client.push({ doing, begin: from, end: now() })
      return value
    },
    take({ worker, spans }: SortedBehind) {
      lanes.set(worker, [...(lanes.get(worker) ?? []), ...spans])
    },
    /** Merges what comes. */
    async gather(runs: Promise<Numbers>[]): Promise<Numbers> {
      // When one run fails, how the others end is of no interest.
      for (const run of runs) run.catch(() => {})
      return await mergeAsTheyCome(runs, (left, right) => {
        const from = now()
        const merged = mergeTwo(left, right)
        client.push({ doing: 'merge', begin: from, end: now() })
        return merged
      })
    },
    stop: () => ({ ms: performance.now() - begin, lanes }),
  }
}

/** Milliseconds for which a process did one of these; what it did twice at a time counts once. */
export function busyMs(spans: readonly Span[], ...kinds: Span['doing'][]): number {
  let busy = 0
  let until = Number.NEGATIVE_INFINITY
  for (const { begin, end } of spans.filter(({ doing }) => kinds.includes(doing)).sort((a, b) => a.begin - b.begin)) {
    busy += Math.max(0, end - Math.max(begin, until))
    until = Math.max(until, end)
  }
  return busy
}

/** Milliseconds that the way from end to end spent computing: the busiest worker's sorting and the client's merging. */
export function computingMs(lanes: Sorting['lanes']): number {
  return (
    Math.max(...[...lanes.values()].map((spans) => busyMs(spans, 'sort'))) + busyMs(lanes.get('client') ?? [], 'merge')
  )
}
