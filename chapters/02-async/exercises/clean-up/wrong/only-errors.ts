// The checker says: return() leaves the log open.
/** Cleans up after errors. */
import { coroutine, type Sink } from '../../../src/coroutines/coroutine.ts'
import type { Log } from '../check.ts'

export const record = coroutine(function* (open: () => Log, target: Sink<string>): Sink<string> {
  try {
    const log = open()
    try {
      for (;;) {
        const value = yield
        log.write(value)
        target.next(value)
      }
    } catch (error) {
      log.close()
      throw error
    }
  } catch (error) {
    target.return()
    throw error
  }
})
