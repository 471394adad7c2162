/** Polling a scheduler. */
import { sleep } from '@repo/common/async/timer'
import { ParseError } from '../scheduler/scheduler.ts'
import { CommandError } from '../ssh/errors.ts'

/** Consecutive failures that are tolerated: a busy scheduler sometimes does not answer, or gives half an answer. */
const mostFailures = 5

/**
 * Polls a scheduler, and returns the first answer for which `isLast` returns true.
 *
 * @throws the poll's error: after a few failures in a row, or at once if the scheduler is not to blame
 */
export async function askUntil<Answer>(
  ask: () => Promise<Answer>,
  isLast: (answer: Answer) => boolean | Promise<boolean>,
  { everyMs, signal }: { everyMs: number; signal?: AbortSignal | undefined },
): Promise<Answer> {
  for (let failures = 0; ; await sleep(everyMs, signal)) {
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
