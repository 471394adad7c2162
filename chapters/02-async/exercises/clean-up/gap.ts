// The checker says: A value does not reach the log.
/** A coroutine that holds an open log and the coroutine after it. */
import { coroutine, type Sink } from '../../src/coroutines/coroutine.ts'
import type { Log } from './check.ts'

/**
 * Opens the log, and gives each value first to the log and then to `target`. However it ends, the log is closed if it was
 * opened, and `target` is ended with return(). Errors go on to the caller.
 */
export const record = coroutine(function* (_open: () => Log, _target: Sink<string>): Sink<string> {
  // Your code: what must happen if the line before fails?
  yield
})
