/** Runs a handler for real that asks, waits and saves, such as a client of a real server. */
import type { Handler } from './simulator.ts'

export interface Performer<Message> {
  /** An error, such as a lost connection, counts as no answer. */
  ask: (message: Message, to: string) => Promise<Message>
  sleep: (ms: number) => Promise<unknown>
  /** Resolves when the value is on a disk. Without it a handler must not save. */
  save?: (key: string, value: unknown) => Promise<void>
}

/**
 * Runs a handler to its end and returns its result. What it asks is asked again until there is an answer.
 *
 * @throws an Error if it yields another effect; what `sleep` throws
 */
export async function perform<Message, Result>(
  handler: Handler<string, Message, Result>,
  { ask, sleep, save }: Performer<Message>,
): Promise<Result> {
  let answer: Message | undefined
  for (;;) {
    const { done, value } = handler.next(answer as Message)
    if (done) return value
    answer = undefined
    if (value.do === 'wait') await sleep(value.ms)
    else if (value.do === 'save' && save) await save(value.key, value.value)
    else if (value.do !== 'ask')
      throw new Error(`received the effect "${value.do}"; accepts ask, wait${save ? ', save' : ''}`)
    else
      while (answer === undefined) {
        answer = await ask(value.message, value.to).catch(() => undefined)
        if (answer === undefined) await sleep(value.againMs)
      }
  }
}
