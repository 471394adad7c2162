/** What is asked of a real store. */
import type { Answer, Question } from './lease.ts'

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
