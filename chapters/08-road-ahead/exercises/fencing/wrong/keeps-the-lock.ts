// The checker says: add returns, and its client still has the lock.
/** Leaves it to the lease to free the lock. */
import type { Lock, RemoteStore } from '../check.ts'

export class Store {
  #page: readonly string[] = []
  #largest = 0

  read(token: number): readonly string[] | 'refused' {
    return this.#admits(token) ? this.#page : 'refused'
  }

  write(token: number, page: readonly string[]): 'written' | 'refused' {
    if (!this.#admits(token)) return 'refused'
    this.#page = page
    return 'written'
  }

  #admits(token: number): boolean {
    if (token < this.#largest) return false
    this.#largest = token
    return true
  }
}

export async function add(line: string, lock: Lock, store: RemoteStore): Promise<void> {
  for (;;) {
    const token = await lock.take()
    const page = await store.read(token)
    const answer = page === 'refused' ? page : await store.write(token, [...page, line])
    if (answer === 'written') return
  }
}
