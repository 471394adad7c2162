/** The tasks of `mergesort`: a run of numbers to be sorted, inside the message or beside it. */
import { z } from 'zod'
import { defineTask } from '../queue/task.ts'
import { bytesOf, numbersIn } from './sort.ts'

/** What a process did from when to when: ms since 1970, with fractions, by its own clock. */
export interface Span {
  doing: 'send' | 'receive' | 'sort' | 'merge'
  begin: number
  end: number
}

/** What a task tells beside its numbers. */
export interface SortedBehind {
  worker: string
  spans: Span[]
}

export interface SortedInMessage extends SortedBehind {
  numbers: number[]
}

export const now = () => performance.timeOrigin + performance.now()

/** Larger than what the layer sends by default; the point of this one is to see what that costs. */
const mostJsonBytes = 256_000_000

export const sortInMessage = defineTask({
  name: 'mergesort.in-message',
  maxPayloadBytes: mostJsonBytes,
  args: z.object({ numbers: z.array(z.int32()) }),
  run: ({ numbers }, { worker }): SortedInMessage => {
    const begin = now()
    const sorted = Int32Array.from(numbers).sort()
    const spans: Span[] = [{ doing: 'sort', begin, end: now() }]
    return { numbers: Array.from(sorted), worker, spans }
  },
})

/** Sorts the numbers behind a key where they are: done twice, it gives the same. */
export const sortByReference = defineTask({
  name: 'mergesort.by-reference',
  args: z.object({
    key: z.string().regex(/^[\w:.-]+:bytes:[\w-]+$/),
    bytes: z.int().min(0).multipleOf(4),
  }),
  run: async ({ key, bytes }, { worker, redis }) => ({
    worker,
    spans: await sortBehind({
      fetch: () => redis.getBuffer(key),
      // What nobody fetches is gone in the end.
      put: (value) => redis.set(key, value, 'KEEPTTL'),
      bytes,
    }),
  }),
})

/** Fetches numbers, sorts them and puts them back. Done twice, it gives the same. */
export async function sortBehind(store: {
  fetch: () => Promise<Buffer | null>
  put: (value: Buffer) => Promise<unknown>
  bytes: number
}): Promise<Span[]> {
  const begin = now()
  const value = await store.fetch()
  if (value?.length !== store.bytes) {
    throw new Error(`there are ${value?.length ?? 'no'} bytes instead of ${store.bytes}`)
  }
  const receivedAt = now()
  const numbers = numbersIn(value).sort()
  const sortedAt = now()
  await store.put(bytesOf(numbers))
  return [
    { doing: 'receive', begin, end: receivedAt },
    { doing: 'sort', begin: receivedAt, end: sortedAt },
    { doing: 'send', begin: sortedAt, end: now() },
  ]
}

export const mergesortTasks = [sortInMessage, sortByReference]
