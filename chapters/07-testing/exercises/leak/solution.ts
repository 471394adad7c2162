/** A desk that serves users for as long as the process runs. */
import type { EventEmitter } from 'node:events'
import type { User } from './check.ts'

export class Desk {
  // A weak map does not keep its keys alive, and an entry goes with its key.
  readonly #pages = new WeakMap<User, string>()
  readonly #news: EventEmitter

  /** @param news emits 'news' with a text */
  constructor(news: EventEmitter) {
    this.#news = news
  }

  /** Returns a user's page. It is rendered once for each user. */
  page(user: User, render: (user: User) => string): string {
    const page = this.#pages.get(user) ?? render(user)
    this.#pages.set(user, page)
    return page
  }

  /** Puts all news into a user's inbox, until the returned function is called. */
  follow(user: User): () => void {
    // It has a name because `off` wants the same function, not an equal one.
    const listener = (text: string) => void user.inbox.push(text)
    this.#news.on('news', listener)
    return () => void this.#news.off('news', listener)
  }

  /** Returns what a user types. When `closing` is aborted meanwhile, it tells the user, and rejects with its reason. */
  async answer(user: User, typed: Promise<string>, closing: AbortSignal): Promise<string> {
    const { promise, resolve, reject } = Promise.withResolvers<string>()
    const close = () => {
      user.inbox.push('We are closing.')
      reject(closing.reason)
    }
    closing.addEventListener('abort', close)
    try {
      typed.then(resolve, reject)
      return await promise
    } finally {
      // Also when it fails: the signal lives as long as the process.
      closing.removeEventListener('abort', close)
    }
  }
}
