/** Says that a program started by `startProgram` (process.ts) is ready; its own small file, for it loads in every worker. */

export interface ReadyMessage {
  ready: true
  info: unknown
}

/**
 * Tells the owner of this process that it is ready. Does nothing in a program started by hand.
 *
 * @param info what the owner reads as `info`: anything that JSON can carry, such as the port listened on
 */
export function ready(info?: unknown): void {
  const message: ReadyMessage = { ready: true, info }
  // An owner that has gone meanwhile cannot be told, and need not be.
  process.send?.(message, undefined, undefined, () => {})
}
