/** Everything that a task can do to its worker: return a result, or fail to in every possible way. */
import { fib } from '../fib/fib.ts'

export type Task =
  | { do: 'nothing' }
  /** Computes fib(n), slowly: work of a length that n decides. */
  | { do: 'fib'; n: number }
  | { do: 'echo'; value: unknown }
  | { do: 'throw' }
  | { do: 'exit' }
  | { do: 'hang' }
  | { do: 'exhaust' }
  /** Returns a function, which cannot be copied to another thread or process. */
  | { do: 'function' }

export default function work(task: Task): unknown {
  switch (task.do) {
    case 'nothing':
      return undefined
    case 'fib':
      return fib(task.n)
    case 'echo':
      return task.value
    case 'throw':
      throw new RangeError('a bug in the task')
    case 'exit':
      return process.exit(3)
    case 'hang':
      // Like a loop without an end, it never turns the event loop; but it leaves the core to the others.
      return Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0)
    case 'exhaust': {
      // In small steps: a heap that jumps far beyond its limit at once takes the whole process with it.
      let kept: object = {}
      for (;;) kept = { kept }
    }
    case 'function':
      return () => {}
  }
}
