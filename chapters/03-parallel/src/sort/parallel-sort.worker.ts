/** A pool's worker that sorts runs and merges parts, in memory that all workers share. */
import { workerData } from 'piscina'
import { doSortTask, type SortMemory, type SortTask } from './parallel-sort.ts'

export default (task: SortTask) => doSortTask(workerData as SortMemory, task)
