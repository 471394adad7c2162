/** A process's wall clock that can be set wrong: the offset is injected, the machine's own clock is left alone. */

/** A message to a process of the pipeline: from now on its clock is wrong by so much. */
export interface SetClock {
  clockOffsetMs: number
}

/**
 * Returns the wall clock in ms, with the offset that this process was told last by its owner's message.
 *
 * @param offsetMs at first
 */
export function skewedClock(offsetMs = 0): () => number {
  let offset = offsetMs
  process.on('message', (message: Partial<SetClock>) => {
    offset = message.clockOffsetMs ?? offset
  })
  return () => Date.now() + offset
}
