/** The tasks of all jobs, for the threads of any pool. Their memory is shared: a task only says where it lies. */
import { type Drawing, drawTile, type Tile } from '@repo/common/workloads/mandelbrot'
import compare, { type Task as SimilarityTask } from '03-parallel/similarity/similarity.worker'
import { doRadixTask, type RadixMemory, type RadixTask } from '03-parallel/sort/parallel-radix-sort'

export type Task =
  | { job: 'similarity'; task: SimilarityTask }
  | { job: 'mandelbrot'; picture: Drawing; tile: Tile }
  | { job: 'sort'; memory: RadixMemory; task: RadixTask }

export default function work(task: Task): unknown {
  if (task.job === 'similarity') return compare(task.task)
  if (task.job === 'sort') return doRadixTask(task.memory, task.task)
  return drawTile(task.picture, task.tile)
}
