// The checker says: Your invariant never objects: it lets all three bugs pass.
/** What must hold in the two banks, whatever happens. */
import type { Seen } from './check.ts'

/**
 * Looks at what has happened so far.
 *
 * @returns what is wrong, in one sentence; undefined if it may be so
 */
export function invariant(_seen: Seen): string | undefined {
  // Your code: what must hold at every moment, and what only at the end?
  return undefined
}
