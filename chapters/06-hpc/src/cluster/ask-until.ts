/** Looking at jobs again and again. */
import { setTimeout as delay } from 'node:timers/promises'
import { ParseError } from '../scheduler/scheduler.ts'
import { CommandError } from '../ssh/errors.ts'

/** So many times in a row a question may fail: a busy scheduler does not answer every time, or gives half an answer. */
const mostFailures = 5

/**
 * Asks a scheduler until an answer is the last one, and returns that.
 *
 * @param isLast is told every answer
 * @throws what a question has failed with, after a few times, or at once if it is not the scheduler's fault
 */
export async function askUntil<Answer>(
  ask: () => Promise<Answer>,
  isLast: (answer: Answer) => boolean | Promise<boolean>,
  { everyMs, signal }: { everyMs: number; signal?: AbortSignal | undefined },
): Promise<Answer> {
  for (let failures = 0; ; await delay(everyMs, undefined, { signal })) {
    signal?.throwIfAborted()
    let answer: Answer
    try {
      answer = await ask()
    } catch (error) {
      const mayPass = error instanceof CommandError || error instanceof ParseError
      if (!mayPass || ++failures === mostFailures) throw error
      continue
    }
    failures = 0
    if (await isLast(answer)) return answer
  }
}
