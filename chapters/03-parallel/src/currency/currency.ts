/** The rates of many pairs, asked for in three ways. */
import { Worker } from 'node:worker_threads'
import type { Pair, Rate } from '@repo/common/texts/rates'
import { AsyncQueue } from '../queues/async-queue.ts'
import { fetchRate } from './rates.ts'

/** One after the other: each waits for the one before. */
async function sequentially(address: string, pairs: Pair[]): Promise<Rate[]> {
  const rates: Rate[] = []
  for (const pair of pairs) rates.push(await fetchRate(address, pair))
  return rates
}

/** A thread for each pair; all put what they get into one queue of results, from which this thread takes it. */
async function onThreads(address: string, pairs: Pair[]): Promise<Rate[]> {
  const results = new AsyncQueue<Rate | Error>()
  const threads = pairs.map((pair) => {
    const thread = new Worker(new URL('./currency.worker.ts', import.meta.url), {
      workerData: { address, pair },
      execArgv: [],
    })
    return thread.on('message', (rate: Rate) => results.put(rate)).on('error', (error: Error) => results.put(error))
  })
  try {
    const rates: Rate[] = []
    while (rates.length < pairs.length) {
      const result = await results.take()
      if (result instanceof Error) throw result
      rates.push(result)
    }
    return rates
  } finally {
    await Promise.all(threads.map((thread) => thread.terminate()))
  }
}

/** All at once on this one thread: while one answer is on its way, the event loop handles the others. */
async function onTheEventLoop(address: string, pairs: Pair[]): Promise<Rate[]> {
  return await Promise.all(pairs.map((pair) => fetchRate(address, pair)))
}

export const ways = { sequentially, onThreads, onTheEventLoop }
export type WayName = keyof typeof ways
