// The checker says: The order ends before all callbacks have run.
/** The event loop's rules as a program. */
import type { Callback } from './check.ts'

/** Returns the names of a callback and of all that it starts, directly or not, in the order in which Node runs them. */
export function orderOf(_main: Callback): string[] {
  // Your code: which queues are there, when is each emptied, and what about a callback that is added meanwhile?
  return []
}
