// The checker says: A client writes a page that it had read with an earlier token.
/** Takes a new token after a refusal, and still has the old page. */
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
  let page: readonly string[] | 'refused' = 'refused'
  for (;;) {
    const token = await lock.take()
    if (page === 'refused') page = await store.read(token)
    const answer = page === 'refused' ? page : await store.write(token, [...page, line])
    await lock.free(token)
    if (answer === 'written') return
  }
}
