/** A thread that takes tasks out of one ring in shared memory and puts the results into another one. */
import { workerData } from 'node:worker_threads'
import { Ring, type RingMemory } from '03-parallel/ring/ring'
import { add } from './add.ts'

const { tasks, results } = workerData as { tasks: RingMemory; results: RingMemory }
const [from, to] = [new Ring(tasks), new Ring(results)]
const task = new Int32Array(2)
const result = new Int32Array(1)
while (from.take(task)) {
  result[0] = add(task[0] ?? 0, task[1] ?? 0)
  if (!to.put(result)) break
}
