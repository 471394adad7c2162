/** What a worker's process does when it is told to end: alike for every program that is a worker. */
import type { Log, TaskWorker } from './worker.ts'

/** A worker that cannot end because Redis is away ends all the same, so long after its tasks had their time. */
const closeMs = 5_000

/** At SIGTERM and Ctrl-C closes the worker: what runs has `givenMs` to finish. A second signal gives it back at once. */
export function endOnSignals(worker: TaskWorker, log: Log, givenMs: number): void {
  let signals = 0
  const end = (signal: NodeJS.Signals) => {
    const graceMs = signals++ === 0 ? givenMs : 0
    log.info({ running: worker.stats().running, graceMs }, `${signal}: taking no more tasks`)
    void worker.close({ graceMs })
    setTimeout(() => {
      log.error({}, 'Redis is away: tasks that were not given back will be run again by other workers')
      process.exit(1)
    }, graceMs + closeMs).unref()
  }
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, end)
}
