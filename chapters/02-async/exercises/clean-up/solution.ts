/** A coroutine that holds an open log and the coroutine after it. */
import { coroutine, type Sink } from '../../src/coroutines/coroutine.ts'
import type { Log } from './check.ts'

/**
 * Opens the log, and gives each value first to the log and then to `target`. However it ends, the log is closed if it was
 * opened, and `target` is ended with return(). Errors go on to the caller.
 */
export const record = coroutine(function* (open: () => Log, target: Sink<string>): Sink<string> {
  // A block for each thing that is held: if one cannot be freed, the other still is.
  try {
    const log = open()
    try {
      for (;;) {
        const value = yield
        log.write(value)
        target.next(value)
      }
    } finally {
      log.close()
    }
  } finally {
    target.return()
  }
})
