/** Three ways to ask for the rates of many pairs. */
import { Worker } from 'node:worker_threads'
import type { Pair, Rate } from '@repo/common/workloads/rates'
import { AsyncQueue } from '../queues/async-queue.ts'
import { fetchRate } from './rates.ts'

/** One after the other: each request waits for the answer to the one before. */
async function sequentially(address: string, pairs: Pair[]): Promise<Rate[]> {
  const rates: Rate[] = []
  for (const pair of pairs) rates.push(await fetchRate(address, pair))
  return rates
}

/** A thread for each pair. All of them put their rates into one result queue, from which this thread takes them. */
// #region on-threads
async function onThreads(address: string, pairs: Pair[]): Promise<Rate[]> {
  const results = new AsyncQueue<Rate>()
  const threads = pairs.map((pair) => {
    const file = new URL('./currency.worker.ts', import.meta.url)
    const thread = new Worker(file, { workerData: { address, pair }, execArgv: [] })
    return thread.on('message', (rate: Rate) => results.put(rate)).on('error', (error) => results.fail(error))
  })
  try {
    const rates: Rate[] = []
    while (rates.length < pairs.length) rates.push(await results.take())
    return rates
  } finally {
    await Promise.all(threads.map((thread) => thread.terminate()))
  }
}
// #endregion on-threads

/** All at once on this thread: while one answer is on its way, the event loop handles the others. */
// #region on-the-event-loop
export async function onTheEventLoop(address: string, pairs: Pair[], signal?: AbortSignal): Promise<Rate[]> {
  return await Promise.all(pairs.map((pair) => fetchRate(address, pair, signal)))
}
// #endregion on-the-event-loop

export const ways = { sequentially, onThreads, onTheEventLoop }
export type WayName = keyof typeof ways

/** What currency.program.ts is asked to do. */
export interface CurrencyRequest {
  way: WayName
  address: string
  pairs: Pair[]
}

/** What it reports. */
export interface CurrencyReport {
  rates: Rate[]
  ms: number
  /** The process's resident set before it began, and its largest one. */
  startBytes: number
  peakBytes: number
}
