// The checker says: worker 2 never ends: no stop marker is left for it.
/** The last producer puts a single stop marker. */
import type { ProducerOptions, WorkerOptions } from '../check.ts'

export async function produce(tasks: readonly string[], { queue, counter }: ProducerOptions): Promise<void> {
  for (const task of tasks) await queue.put(task)
  if ((await counter.countDown()) === 0) await queue.put(null)
}

export async function work({ queue, perform }: WorkerOptions): Promise<void> {
  for (let task = await queue.take(); task !== null; task = await queue.take()) await perform(task)
}
