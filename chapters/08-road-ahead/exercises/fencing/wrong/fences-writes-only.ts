// The checker says: The store takes a write of an old token after it has answered the read of a newer one.
/** Believes that reading changes nothing. */
import type { Lock, RemoteStore } from '../check.ts'

export class Store {
  #page: readonly string[] = []
  #largest = 0

  read(): readonly string[] | 'refused' {
    return this.#page
  }

  write(token: number, page: readonly string[]): 'written' | 'refused' {
    if (token < this.#largest) return 'refused'
    this.#largest = token
    this.#page = page
    return 'written'
  }
}

export async function add(line: string, lock: Lock, store: RemoteStore): Promise<void> {
  for (;;) {
    const token = await lock.take()
    const page = await store.read(token)
    const answer = page === 'refused' ? page : await store.write(token, [...page, line])
    await lock.free(token)
    if (answer === 'written') return
  }
}
