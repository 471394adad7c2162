// The checker says: The emitter keeps users in memory after they have stopped following.
/** Removes a listener that was never added: each arrow is a function of its own. */
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
    let isFollowing = true
    this.#news.on('news', (text: string) => isFollowing && user.inbox.push(text))
    return () => {
      isFollowing = false
      this.#news.off('news', (text: string) => isFollowing && user.inbox.push(text))
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
