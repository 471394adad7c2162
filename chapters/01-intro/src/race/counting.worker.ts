/** A thread of the `race` example: waits for the others, counts with them, and returns when it began and ended. */
import { meet } from '@repo/common/async/barrier'
import type { Counting, Shared, Span } from './counting.ts'
import { Mutex } from './mutex.ts'

type Loop = (shared: Shared, thread: number, additions: number) => void

/** A loop for each increment, so that the engine can inline the increment. Compiled once for all rounds. */
const loops = new Map<string, Loop>()

function loopOf(increment: string): Loop {
  const body = `const add = ${increment}; for (let i = 0; i < additions; i++) add(shared, thread)`
  const loop = loops.get(increment) ?? (new Function('shared', 'thread', 'additions', body) as Loop)
  loops.set(increment, loop)
  return loop
}

// Each thread's performance.now() counts from that thread's own start; this clock is the same for all.
const now = () => Number(process.hrtime.bigint()) / 1e6

export default ({ increment, memory, stride, threads, thread, additions }: Counting): Span => {
  const loop = loopOf(increment)
  const barrier = () => meet(memory.barrier, threads)
  const shared: Shared = { counters: memory.counters, stride, mutex: new Mutex(memory.lock), barrier }
  barrier()
  const from = now()
  loop(shared, thread, additions)
  return { from, to: now() }
}
