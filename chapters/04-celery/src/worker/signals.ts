/** How a worker's process ends when it gets a signal, the same in every worker program. */
import { after } from '@repo/common/async/timer'
import type { Log } from './call.ts'
import type { TaskWorker } from './worker.ts'

/** How long a worker waits for an unreachable Redis after its tasks' grace time. */
const closeMs = 5_000

/**
 * Closes the worker on SIGTERM or Ctrl-C: running tasks have `givenMs` to finish, and a second signal gives them back
 * at once.
 *
 * @param giveUp ends the process when the worker cannot close because Redis is unreachable
 */
export function endOnSignals(worker: TaskWorker, log: Log, givenMs: number, giveUp: () => void): void {
  let signals = 0
  const end = (signal: NodeJS.Signals) => {
    const graceMs = signals++ === 0 ? givenMs : 0
    log.info({ running: worker.stats().running, graceMs }, `${signal}: taking no more tasks`)
    void worker.close({ graceMs })
    after(graceMs + closeMs, () => {
      log.error({}, 'Redis is unreachable: other workers will run the tasks that were not given back')
      giveUp()
    }).unref()
  }
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, end)
}
