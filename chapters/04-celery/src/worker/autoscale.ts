/** More places while tasks wait, fewer while none do: Celery's autoscale, between two bounds. */
import type { Log } from './call.ts'
import type { TaskWorker } from './worker.ts'

export interface AutoscaleOptions {
  min: number
  max: number
  /** How often it looks. Default: 500 ms. */
  everyMs?: number
  /** How long places must have been free before their number goes down. Default: 10 s. */
  keepMs?: number
  log?: Log
}

/**
 * How many places there should be: twice as many while all are taken and tasks wait; half as many after some were free
 * for long enough, but never fewer than the running tasks.
 *
 * @param now places in each queue, running tasks, waiting tasks, and how long places have been free
 */
export function scaled(
  now: { concurrency: number; running: number; waiting: number; freeMs: number },
  { min, max, keepMs = 10_000 }: AutoscaleOptions,
): number {
  const within = (value: number) => Math.max(min, Math.min(max, value))
  if (now.waiting > 0 && now.running >= now.concurrency) return within(now.concurrency * 2)
  const enough = Math.max(Math.ceil(now.concurrency / 2), now.running)
  if (now.freeMs >= keepMs) return within(Math.min(now.concurrency, enough))
  return within(now.concurrency)
}

/** Scales a worker until it is closed or the returned object is disposed of. */
export function autoscale(worker: TaskWorker, options: AutoscaleOptions): Disposable {
  const { everyMs = 500, log } = options
  let freeSince = Date.now()
  let looking = false
  async function look() {
    const waiting = await worker.backlog()
    const { concurrency, running } = worker.stats()
    if (waiting > 0 || running >= concurrency) freeSince = Date.now()
    const wanted = scaled({ concurrency, running, waiting, freeMs: Date.now() - freeSince }, options)
    if (wanted === concurrency) return
    log?.info({ from: concurrency, to: wanted, waiting, running }, 'autoscale')
    worker.concurrency = wanted
    freeSince = Date.now()
  }
  const timer = setInterval(() => {
    if (looking) return
    looking = true
    // While Redis is unreachable, the number of places stays as it is.
    look()
      .catch(() => {})
      .finally(() => {
        looking = false
      })
  }, everyMs)
  const stop = () => clearInterval(timer)
  worker.closed.finally(stop)
  return { [Symbol.dispose]: stop }
}
