/**
 * A lease: a lock that is given for a time. What is asked of those who give it, and of the document that it protects: the
 * same in the simulator, on Redis and on etcd.
 */
import type { Handler } from '@repo/simulator/simulator'
import type { Mistake } from './mistakes.ts'

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

/** What every client is told. */
export interface ClientOptions {
  /** Its name, by which the lock is given to it. */
  by: string
  leaseMs: number
  /** The time until it asks again: for a lock that another one has, or for more time. */
  againMs: number
  /** Its own clock, in ms. */
  clock: () => number
  mistake?: Mistake | undefined
  /** Called with the time, by its clock, until which it believes that it has the lease. It is in the past if it does not. */
  onHold: (untilMs: number) => void
}

/** Returns what a message says, for histories. */
export function describe(message: Message): string {
  const parts = 'do' in message ? [message.do] : [message.isDone ? (message.token ? 'granted,' : 'done') : 'refused']
  if ('ms' in message) parts.push(`for ${message.ms} ms`)
  if ('value' in message) parts.push(`"${message.value}"`)
  if ('token' in message && message.token !== undefined) parts.push(`token ${message.token}`)
  return parts.join(' ')
}

/** A real store. */
export type StoreName = 'redis' | 'etcd'

/** Where a running store is. */
export interface Place {
  store: StoreName
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
  start: (signal?: AbortSignal) => Promise<{ version: string; place: Place } & AsyncDisposable>
  connect: (place: Place) => Promise<Connection>
}
