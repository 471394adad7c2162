/** The task for a pool of threads. */
import { add, type Task } from './add.ts'

export default (task: Task) => add(...task)
