/** A queue with several producers and several workers, and its end. */
import type { ProducerOptions, WorkerOptions } from './check.ts'

/**
 * Puts the tasks of one producer into the queue. When all producers have ended, there is nothing left that a worker could
 * wait for.
 */
export async function produce(_tasks: readonly string[], _options: ProducerOptions): Promise<void> {
  // Your code: who puts the stop markers, how many, and when?
}

/** Takes tasks from the queue and does them, until there are no more. */
export async function work(_options: WorkerOptions): Promise<void> {
  // Your code.
}
