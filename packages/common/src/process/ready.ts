/** Says that a program is ready. A file of its own, without imports, because every worker loads it. */

export interface ReadyMessage {
  ready: true
  info: unknown
}

/**
 * Tells the process that started this one by `startProgram` (child.ts) that it is ready. Does nothing in a program that
 * was started by hand.
 *
 * @param info what `startProgram` returns as `info`: anything that JSON can carry, such as the port
 */
export function ready(info?: unknown): void {
  const message: ReadyMessage = { ready: true, info }
  // Ignores the error if the owner has ended.
  process.send?.(message, undefined, undefined, () => {})
}
