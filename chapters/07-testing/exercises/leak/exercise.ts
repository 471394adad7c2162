/** A desk that serves users for as long as the process runs. */
import type { EventEmitter } from 'node:events'
import type { User } from './check.ts'

// Your code: three places keep users in memory after they have left.
export class Desk {
  readonly #pages = new Map<User, string>()
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
    let isFollowing = true
    this.#news.on('news', (text: string) => {
      if (isFollowing) user.inbox.push(text)
    })
    return () => {
      isFollowing = false
    }
  }

  /** Returns what a user types. When `closing` is aborted meanwhile, it tells the user, and rejects with its reason. */
  async answer(user: User, typed: Promise<string>, closing: AbortSignal): Promise<string> {
    const { promise, resolve, reject } = Promise.withResolvers<string>()
    closing.addEventListener('abort', () => {
      user.inbox.push('We are closing.')
      reject(closing.reason)
    })
    typed.then(resolve, reject)
    return await promise
  }
}
