// The checker says: A client that was paused writes over the work of the other one.
/** Looks whether the lock is still its own, and may be paused after the look. */
import type { Lock, RemoteStore } from '../check.ts'

export class Store {
  #page: readonly string[] = []

  read(): readonly string[] | 'refused' {
    return this.#page
  }

  write(_token: number, page: readonly string[]): 'written' | 'refused' {
    this.#page = page
    return 'written'
  }
}

export async function add(line: string, lock: Lock, store: RemoteStore): Promise<void> {
  for (;;) {
    const token = await lock.take()
    const page = await store.read(token)
    if (page === 'refused' || !(await lock.isHeld(token))) continue
    await store.write(token, [...page, line])
    await lock.free(token)
    return
  }
}
