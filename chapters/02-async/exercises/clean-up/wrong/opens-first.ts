// The checker says: The target is abandoned when opening the log fails.
/** Is responsible for the target only when the log is open. */
import { coroutine, type Sink } from '../../../src/coroutines/coroutine.ts'
import type { Log } from '../check.ts'

export const record = coroutine(function* (open: () => Log, target: Sink<string>): Sink<string> {
  const log = open()
  try {
    for (;;) {
      const value = yield
      log.write(value)
      target.next(value)
    }
  } finally {
    try {
      log.close()
    } finally {
      target.return()
    }
  }
})
