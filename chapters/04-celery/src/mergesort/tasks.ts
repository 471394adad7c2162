/** The tasks of `mergesort`: they sort a run of numbers that is inside the message or beside it. */
import { z } from 'zod'
import { defineTask } from '../queue/task.ts'
import { radixSort } from './radix-sort.ts'
import { bytesOf, numbersIn } from './sort.ts'

/** What a process did from when to when, by its own clock: ms since 1970, with fractions. */
export interface Span {
  doing: 'send' | 'receive' | 'sort' | 'merge'
  begin: number
  end: number
}

/** What a task reports beside its numbers. */
export interface WorkReport {
  worker: string
  spans: Span[]
}

export const now = () => performance.timeOrigin + performance.now()

/** More than the layer sends by default: this task is there to show what that costs. */
const mostJsonBytes = 256_000_000

export const sortInMessage = defineTask({
  name: 'mergesort.in-message',
  maxPayloadBytes: mostJsonBytes,
  args: z.object({ numbers: z.array(z.int32()) }),
  run: ({ numbers }, { worker }): WorkReport & { numbers: number[] } => {
    const begin = now()
    const sorted = radixSort(Int32Array.from(numbers))
    const spans: Span[] = [{ doing: 'sort', begin, end: now() }]
    return { numbers: Array.from(sorted), worker, spans }
  },
})

/** Sorts the numbers under a key and leaves them there. Run twice, it gives the same. */
export const sortByReference = defineTask({
  name: 'mergesort.by-reference',
  args: z.object({
    key: z.string().regex(/^[\w:.-]+:bytes:[\w-]+$/),
    bytes: z.int().min(0).multipleOf(4),
  }),
  run: async ({ key, bytes }, { worker, redis }): Promise<WorkReport> => {
    const begin = now()
    const value = await redis.getBuffer(key)
    if (value?.length !== bytes) throw new Error(`there are ${value?.length ?? 'no'} bytes instead of ${bytes}`)
    const receivedAt = now()
    const numbers = radixSort(numbersIn(value))
    const sortedAt = now()
    // They still expire if nobody fetches them.
    await redis.set(key, bytesOf(numbers), 'KEEPTTL')
    const spans: Span[] = [
      { doing: 'receive', begin, end: receivedAt },
      { doing: 'sort', begin: receivedAt, end: sortedAt },
      { doing: 'send', begin: sortedAt, end: now() },
    ]
    return { worker, spans }
  },
})

export const mergesortTasks = [sortInMessage, sortByReference]
