/** Measures how long an event loop stands still. */
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { setTimeout as delay, setImmediate } from 'node:timers/promises'

export interface Watched<Result> {
  result: Result
  startMs: number
  /** How long the work took. */
  ms: number
  /** The longest time in which the loop of this thread handled no event. */
  longestDelayMs: number
}

/** The monitor checks the clock every millisecond, so within this time it certainly has. */
const lookMs = 20

/** Does some work and watches the event loop of the calling thread meanwhile. */
export async function watchLoop<Result>(work: () => Result | Promise<Result>): Promise<Watched<Result>> {
  const histogram = monitorEventLoopDelay({ resolution: 1 })
  histogram.enable()
  // A delay is the time between two checks: there must be one before the work, and one after it.
  await delay(lookMs)
  // The monitor is a timer. Work that began in a timer's callback would have a second part in the same turn of the loop.
  await setImmediate()
  const startMs = performance.now()
  const result = await work()
  const ms = performance.now() - startMs
  await delay(lookMs)
  histogram.disable()
  return { result, startMs, ms, longestDelayMs: histogram.max / 1e6 }
}
