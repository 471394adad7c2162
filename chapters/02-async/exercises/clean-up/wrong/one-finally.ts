// The checker says: The target is abandoned when closing the log fails.
/** Frees both in one block: what follows a failure there does not run. */
import { coroutine, type Sink } from '../../../src/coroutines/coroutine.ts'
import type { Log } from '../check.ts'

export const record = coroutine(function* (open: () => Log, target: Sink<string>): Sink<string> {
  let log: Log | undefined
  try {
    log = open()
    for (;;) {
      const value = yield
      log.write(value)
      target.next(value)
    }
  } finally {
    log?.close()
    target.return()
  }
})
