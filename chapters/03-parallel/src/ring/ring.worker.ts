/** A thread that produces or consumes items of 64 bytes, through a ring or by messages. It does one job at a time. */
import { type MessagePort, parentPort } from 'node:worker_threads'
import { Ring, type RingMemory } from './ring.ts'

/** The first two words of an item are its producer and its number, from 0. The others are computed from these two. */
export const itemBytes = 64
const words = itemBytes / 4

export type RingJob =
  /** Puts items in. With `closeAfter`, closes the ring after that many. */
  | { do: 'produce'; memory: RingMemory; producer: number; items: number; closeAfter?: number | undefined }
  /** Takes items out until the ring is closed and drained. With `closeAfter`, closes it after that many. */
  | { do: 'consume'; memory: RingMemory; seen?: Seen | undefined; keep?: boolean; closeAfter?: number | undefined }
  /** Posts items in messages of `batch` items. */
  | { do: 'post'; port: MessagePort; items: number; batch: number }
  /** Receives that many items from messages. */
  | { do: 'receive'; port: MessagePort; items: number }
  /** Makes that many items and checks each at once: the same work on one thread, without any queue. */
  | { do: 'alone'; items: number }

/** How often each item was taken: item `number` of a producer at producer × items + number. */
export interface Seen {
  counts: Int32Array<SharedArrayBuffer>
  /** Of each producer. */
  items: number
}

export interface RingLog {
  /** How many items the thread put in or took out. */
  items: number
  /** How many came out damaged, or after a later one of the same producer. */
  wrong: number
  /** With `keep`, the producer and the number of each item taken, in order. */
  kept: number[]
}

function fill(item: Int32Array, at: number, producer: number, number: number): void {
  item[at] = producer
  item[at + 1] = number
  for (let word = 2; word < words; word++) item[at + word] = Math.imul(number + word, 0x9e37_79b1) ^ producer
}

function isWhole(item: Int32Array): boolean {
  const [producer = 0, number = 0] = item
  for (let word = 2; word < words; word++) {
    if (item[word] !== (Math.imul(number + word, 0x9e37_79b1) ^ producer)) return false
  }
  return true
}

function produce({ memory, producer, items, closeAfter }: RingJob & { do: 'produce' }): RingLog {
  const ring = new Ring(memory)
  const item = new Int32Array(words)
  let number = 0
  for (; number < items; number++) {
    if (number === closeAfter) ring.close()
    fill(item, 0, producer, number)
    if (!ring.put(item)) break
  }
  return { items: number, wrong: 0, kept: [] }
}

function consume({ memory, seen, keep, closeAfter }: RingJob & { do: 'consume' }): RingLog {
  const ring = new Ring(memory)
  const item = new Int32Array(words)
  const log: RingLog = { items: 0, wrong: 0, kept: [] }
  const last = new Map<number, number>()
  if (closeAfter === 0) ring.close()
  while (ring.take(item)) {
    const [producer = 0, number = 0] = item
    if (!isWhole(item)) log.wrong++
    if (seen) {
      if (number <= (last.get(producer) ?? -1)) log.wrong++
      last.set(producer, number)
      Atomics.add(seen.counts, producer * seen.items + number, 1)
    }
    if (keep) log.kept.push(producer, number)
    if (++log.items === closeAfter) ring.close()
  }
  return log
}

function post({ port, items, batch }: RingJob & { do: 'post' }): RingLog {
  for (let number = 0; number < items; number += batch) {
    const size = Math.min(batch, items - number)
    const message = new Int32Array(size * words)
    for (let at = 0; at < size; at++) fill(message, at * words, 0, number + at)
    port.postMessage(message)
  }
  return { items, wrong: 0, kept: [] }
}

function receive({ port, items }: RingJob & { do: 'receive' }): Promise<RingLog> {
  return new Promise((resolve) => {
    const log: RingLog = { items: 0, wrong: 0, kept: [] }
    port.on('message', (message: Int32Array) => {
      for (let at = 0; at < message.length; at += words) {
        if (message[at + 1] !== log.items || !isWhole(message.subarray(at, at + words))) log.wrong++
        log.items++
      }
      if (log.items === items) {
        port.close()
        resolve(log)
      }
    })
  })
}

function alone({ items }: RingJob & { do: 'alone' }): RingLog {
  const item = new Int32Array(words)
  let wrong = 0
  for (let number = 0; number < items; number++) {
    fill(item, 0, 0, number)
    if (!isWhole(item)) wrong++
  }
  return { items, wrong, kept: [] }
}

function work(job: RingJob): RingLog | Promise<RingLog> {
  switch (job.do) {
    case 'produce':
      return produce(job)
    case 'consume':
      return consume(job)
    case 'post':
      return post(job)
    case 'receive':
      return receive(job)
    case 'alone':
      return alone(job)
  }
}

parentPort?.on('message', async (job: RingJob) => parentPort?.postMessage(await work(job)))
