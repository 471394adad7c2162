/** A pool's worker that sorts numbers in memory that all workers share: its tasks of the radix sort and the merge sort. */
import { workerData } from 'piscina'
import { doMergeSortTask, type MergeSortTask } from './parallel-merge-sort.ts'
import { doRadixTask, type RadixMemory, type RadixTask } from './parallel-radix-sort.ts'

export default (task: MergeSortTask | RadixTask) => {
  const memory = workerData as RadixMemory
  return task.phase === 'sort' || task.phase === 'merge' ? doMergeSortTask(memory, task) : doRadixTask(memory, task)
}
