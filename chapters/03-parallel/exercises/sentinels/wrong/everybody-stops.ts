// The checker says: b1 is never done: both workers have ended.
/** Each producer puts stop markers for all workers behind its own tasks. */
import type { ProducerOptions, WorkerOptions } from '../check.ts'

export async function produce(tasks: readonly string[], { queue, workers }: ProducerOptions): Promise<void> {
  for (const task of tasks) await queue.put(task)
  for (let worker = 0; worker < workers; worker++) await queue.put(null)
}

export async function work({ queue, perform }: WorkerOptions): Promise<void> {
  for (let task = await queue.take(); task !== null; task = await queue.take()) await perform(task)
}
