// The checker says: The target gets a value before the log.
/** Hands a value on before it is in the log. */
import { coroutine, type Sink } from '../../../src/coroutines/coroutine.ts'
import type { Log } from '../check.ts'

export const record = coroutine(function* (open: () => Log, target: Sink<string>): Sink<string> {
  try {
    const log = open()
    try {
      for (;;) {
        const value = yield
        target.next(value)
        log.write(value)
      }
    } finally {
      log.close()
    }
  } finally {
    target.return()
  }
})
