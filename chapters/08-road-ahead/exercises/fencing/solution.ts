/** A page in a store, to which clients add lines under a lock that may run out. */
import type { Lock, RemoteStore } from './check.ts'

/** The store. Each call is one step: nothing happens in the middle of it. */
export class Store {
  #page: readonly string[] = []
  #largest = 0

  /** Returns the page, or refuses. */
  read(token: number): readonly string[] | 'refused' {
    return this.#admits(token) ? this.#page : 'refused'
  }

  /** Replaces the page, or refuses. */
  write(token: number, page: readonly string[]): 'written' | 'refused' {
    if (!this.#admits(token)) return 'refused'
    this.#page = page
    return 'written'
  }

  /** Reads count as well: whoever has read the page will write what follows from it. */
  #admits(token: number): boolean {
    if (token < this.#largest) return false
    this.#largest = token
    return true
  }
}

/** Adds a line to the page. */
export async function add(line: string, lock: Lock, store: RemoteStore): Promise<void> {
  for (;;) {
    const token = await lock.take()
    const page = await store.read(token)
    const answer = page === 'refused' ? page : await store.write(token, [...page, line])
    await lock.free(token)
    if (answer === 'written') return
    // Somebody else has had the lock meanwhile: only a new token and a new look at the page help.
  }
}
