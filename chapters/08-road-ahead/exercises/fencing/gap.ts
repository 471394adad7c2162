// The checker says: A client that was paused writes over the work of the other one.
/** A page in a store, to which clients add lines under a lock that may run out. */
import type { Lock, RemoteStore } from './check.ts'

/** The store. Each call is one step: nothing happens in the middle of it. */
export class Store {
  #page: readonly string[] = []

  /** Returns the page, or refuses. */
  read(_token: number): readonly string[] | 'refused' {
    return this.#page
  }

  /** Replaces the page, or refuses. */
  write(_token: number, page: readonly string[]): 'written' | 'refused' {
    // Your code: which tokens belong to somebody who has lost the lock?
    this.#page = page
    return 'written'
  }
}

/** Adds a line to the page. */
export async function add(line: string, lock: Lock, store: RemoteStore): Promise<void> {
  // Your code: what if the store refuses?
  const token = await lock.take()
  const page = await store.read(token)
  if (page !== 'refused') await store.write(token, [...page, line])
  await lock.free(token)
}
