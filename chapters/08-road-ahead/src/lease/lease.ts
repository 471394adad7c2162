/**
 * A lease: a lock that is given for a time. What is asked of those who give it, and of the document that it protects: the
 * same in the simulator, on Redis and on etcd.
 */
import type { Handler } from '@repo/simulator/simulator'

export type Question =
  /**
   * Takes the lock for `ms`, if it is free; if the asker holds it, for `ms` from now on. The answer has the token of the
   * grant: a number that is higher than that of every grant before.
   */
  | { do: 'take'; by: string; ms: number }
  /** Frees the lock if the asker holds it; without `compares`, whoever holds it. */
  | { do: 'release'; by: string; compares: boolean }
  /** Reads or writes the document. With a token, the store refuses if it knows of a later grant. */
  | { do: 'read'; token: number | undefined }
  | { do: 'write'; token: number | undefined; value: string }

export interface Answer {
  /** Whether what was asked for has been done. */
  isDone: boolean
  token?: number
  value?: string
}

export type Message = Question | Answer

/** A handler, or a part of one: the simulator runs it, and `perform` runs it on a real store. */
export type Steps<Result = void> = Handler<string, Message, Result>

/** Asks until there is an answer. */
export function* ask(to: string, message: Question): Steps<Answer> {
  return (yield { do: 'ask', to, message, againMs: 100 }) as Answer
}

/** Returns what a message says, for histories. */
export function describe(message: Message): string {
  const parts = 'do' in message ? [message.do] : [message.isDone ? (message.token ? 'granted,' : 'done') : 'refused']
  if ('ms' in message) parts.push(`for ${message.ms} ms`)
  if ('value' in message) parts.push(`"${message.value}"`)
  if ('token' in message && message.token !== undefined) parts.push(`token ${message.token}`)
  return parts.join(' ')
}

/** Where a real store is reached, for the processes that use it. */
export interface Address {
  port: number
  password: string
}

export interface Connection extends AsyncDisposable {
  /**
   * @param lock each has a document of its own
   * @throws an Error if there is no answer
   */
  ask: (lock: string, question: Question) => Promise<Answer>
}

export interface LeaseStore {
  /**
   * Starts a server of our own. Disposing of it stops it and removes its data.
   *
   * @throws an Error of one line that says what installs it, if it is missing
   */
  start: (options: {
    signal?: AbortSignal | undefined
  }) => Promise<{ version: string; address: Address } & AsyncDisposable>
  connect: (address: Address) => Promise<Connection>
}

/** Returns the time in ms by the machine's clock that nobody can set. All processes have the same one. */
export const machineMs = (): number => Number(process.hrtime.bigint()) / 1e6
