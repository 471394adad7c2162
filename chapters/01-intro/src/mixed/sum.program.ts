/**
 * A process of the `mixed` example; its argument is its number of threads, among which it divides its part. Processes
 * have memory of their own and send each other messages; the threads of one process share its memory.
 */
import { divide } from '@repo/common/async/ranges'
import { ready } from '@repo/common/process/ready'
import { Piscina } from 'piscina'
import type { Part, PartSum } from './sum.ts'
import type { ThreadPart } from './sum.worker.ts'

const threads = Number(process.argv[2])
const pool = new Piscina<ThreadPart, number>({
  filename: new URL('./sum.worker.ts', import.meta.url).href,
  minThreads: threads,
  maxThreads: threads,
})

// #region add
async function add({ terms, range }: Part): Promise<PartSum> {
  const sums = new Float64Array(new SharedArrayBuffer(8 * (range.to - range.from)))
  const parts = divide(range, threads).map((part) => pool.run({ terms, range: part, sums, first: range.from }))
  const ofThreads = await Promise.all(parts)
  return {
    // A copy: threads can share memory, processes cannot.
    sums: sums.slice(),
    inOrderOfWorkers: ofThreads.reduce((sum, ofThread) => sum + ofThread, 0),
    memoryBytes: process.memoryUsage.rss(),
  }
}
// #endregion add

process.on('message', async (part: Part) => process.send?.(await add(part)))
// Its owner has gone.
process.on('disconnect', () => process.exit())
// Every thread runs once before this process reports that it is ready, so that its code is compiled.
await add({ terms: 1_000_000, range: { from: 0, to: 64 } })
ready()
