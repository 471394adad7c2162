/** The lists of tasks and hosts that schedulers write. */
import type { Row } from './check.ts'

/** No list of more tasks or hosts is read. */
export const most = 100_000

/** Reads `123`, `123_4` or `123_[0-3,7%2]`. Returns undefined for anything else. */
export function readTasks(_text: string): Row | undefined {
  // Your code.
  return undefined
}

/** Reads a list of hosts, such as `login,n[08-10,12]`. Returns their names in order, or undefined for anything else. */
export function readHosts(_text: string): string[] | undefined {
  // Your code: which commas end a name?
  return undefined
}
