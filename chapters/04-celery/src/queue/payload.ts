/** How large arguments and results may be: Redis holds them all in memory. */
import { PayloadTooLarge } from './errors.ts'
import type { Task } from './task.ts'

const defaultMaxPayloadBytes = 1_000_000

export const acceptedBytes = (task: Task, settings: { maxPayloadBytes?: number }) =>
  task.maxPayloadBytes ?? settings.maxPayloadBytes ?? defaultMaxPayloadBytes

/** @param what such as `add: received arguments` */
export function checkSize(what: string, bytes: number, accepted: number): void {
  if (bytes <= accepted) return
  const instead = 'store large data elsewhere and send its location'
  throw new PayloadTooLarge(`${what} of ${bytes} bytes; accepts ${accepted}: ${instead}`)
}
