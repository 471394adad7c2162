/** What a task can do to its worker: its result, and every way not to have one. */

export type Task =
  | { do: 'nothing' }
  | { do: 'throw' }
  | { do: 'exit' }
  | { do: 'hang' }
  | { do: 'exhaust' }
  | { do: 'echo'; value: unknown }
  /** Returns what cannot be copied to another thread. */
  | { do: 'function' }

export default function work(task: Task): unknown {
  switch (task.do) {
    case 'nothing':
      return undefined
    case 'echo':
      return task.value
    case 'function':
      return () => {}
    case 'throw':
      throw new RangeError('a bug in the task')
    case 'exit':
      return process.exit(3)
    case 'hang':
      for (;;);
    case 'exhaust': {
      // In small steps: a heap that jumps over its limit at once takes the whole process with it.
      let kept: object = {}
      for (;;) kept = { kept }
    }
  }
}
