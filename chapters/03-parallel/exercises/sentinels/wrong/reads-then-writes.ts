// The checker says: No worker ends: nobody puts a stop marker.
/** Reads the counter, and writes it in a second step: no producer is the last one. */
import type { ProducerOptions, WorkerOptions } from '../check.ts'

export async function produce(tasks: readonly string[], { queue, workers, counter }: ProducerOptions): Promise<void> {
  for (const task of tasks) await queue.put(task)
  const left = (await counter.get()) - 1
  await counter.set(left)
  if (left > 0) return
  for (let worker = 0; worker < workers; worker++) await queue.put(null)
}

export async function work({ queue, perform }: WorkerOptions): Promise<void> {
  for (let task = await queue.take(); task !== null; task = await queue.take()) await perform(task)
}
