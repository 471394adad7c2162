/** A question to a program and its answer, as messages. */
import type { Program } from './child.ts'

/**
 * Sends a message to a program and returns the next message that comes back.
 *
 * @throws an Error that says how the program ended, if it ends before it answers; the signal's reason, if it is aborted
 */
export async function ask<Answer>(
  { process, exited }: Program<unknown>,
  question: object | string,
  signal?: AbortSignal,
): Promise<Answer> {
  signal?.throwIfAborted()
  const { promise, resolve, reject } = Promise.withResolvers<Answer>()
  const abort = () => reject(signal?.reason)
  signal?.addEventListener('abort', abort)
  process.once('message', resolve)
  exited.then(({ code, signal: endedBy }) => {
    reject(new Error(`a program ended ${endedBy ? `by ${endedBy}` : `with code ${code}`} before it answered`))
  })
  process.send(question)
  return await promise.finally(() => {
    process.off('message', resolve)
    signal?.removeEventListener('abort', abort)
  })
}
