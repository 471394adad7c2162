/**
 * The border between a task and BullMQ. A task may throw anything: nothing, a text, an error of 5 MB, or one that has the
 * name of BullMQ's own signals. BullMQ would take some of that for an order, and fail at the rest, so that the job stays
 * with its worker until it counts as lost. What BullMQ gets is always an error of this file.
 */
import { errorOf, messageOf } from '@repo/common/output/errors'
import { InvalidResult } from '../queue/errors.ts'
import { jsonOf } from '../queue/json.ts'
import { acceptedBytes, checkSize } from '../queue/payload.ts'
import type { Task } from '../queue/task.ts'

const longestMessage = 10_000
const longestStack = 20_000

/** An error as it is stored and sent. The name is also in the first line of the stack: Redis keeps it nowhere else. */
export function textsOf(thrown: unknown): { name: string; message: string; stack: string } {
  const error = errorOf(thrown)
  try {
    return read(error, error === thrown)
  } catch {
    // A getter that answers otherwise when it is asked again.
    return read(new Error(messageOf(thrown)), false)
  }
}

function read(error: Error, wasThrown: boolean): { name: string; message: string; stack: string } {
  const [given, text, all] = [`${error.name}`, `${error.message}`, `${error.stack}`]
  const name = /^[A-Za-z_$][\w$.]*$/.test(given) ? given : 'Error'
  const message = cut(text, longestMessage)
  // The frames only: before them stands the message, perhaps in full, and the name that the error had at first.
  // What is no error was not thrown where `errorOf` made one of it.
  const frames = wasThrown ? (/^ +at .*/ms.exec(all.slice(-longestStack))?.[0] ?? '') : ''
  const head = message === '' ? name : `${name}: ${message}`
  return { name, message, stack: frames === '' ? head : `${head}\n${frames}` }
}

const cut = (text: string, longest: number) =>
  text.length > longest ? `${text.slice(0, longest)}… (of ${text.length} characters)` : text

/** A failed try of a task, as BullMQ gets it. */
export class Failure extends Error {
  /** Milliseconds until the next try. */
  readonly retryInMs: number

  /** @param retryInMs below 0 if the task is not retried */
  constructor(thrown: unknown, retryInMs: number) {
    const { name, message, stack } = textsOf(thrown)
    // With this message alone, BullMQ would put the job back into its queue.
    super(message === 'bullmq:rateLimitExceeded' ? `${name}: ${message}` : message, { cause: thrown })
    // By this name BullMQ knows that it must not retry.
    this.name = retryInMs < 0 ? 'UnrecoverableError' : 'Failure'
    this.stack = stack
    this.retryInMs = retryInMs
  }
}

/**
 * Returns a task's result if its sender will get the same.
 *
 * @throws InvalidResult or PayloadTooLarge
 */
export function checkedResult(result: unknown, task: Task, settings: { maxPayloadBytes?: number }): unknown {
  // Most results are small, and a look at them is enough.
  if (result === null || result === undefined || typeof result === 'boolean') return result
  let text: string
  try {
    text = jsonOf(result)
  } catch (error) {
    throw new InvalidResult(`${task.name}: the result: ${errorOf(error).message}`)
  }
  checkSize(`${task.name}: received a result`, Buffer.byteLength(text), acceptedBytes(task, settings))
  return result
}
