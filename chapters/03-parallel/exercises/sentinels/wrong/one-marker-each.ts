// The checker says: b1 is never done: the worker has ended.
/** Each producer puts a marker: right by chance where there are as many workers as producers. */
import type { ProducerOptions, WorkerOptions } from '../check.ts'

export async function produce(tasks: readonly string[], { queue }: ProducerOptions): Promise<void> {
  for (const task of tasks) await queue.put(task)
  await queue.put(null)
}

export async function work({ queue, perform }: WorkerOptions): Promise<void> {
  for (let task = await queue.take(); task !== null; task = await queue.take()) await perform(task)
}
