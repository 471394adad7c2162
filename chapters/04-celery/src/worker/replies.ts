/** Reports results to senders: one PUBLISH for each sender, with all its tasks that ended in one turn of the loop. */
import type { Job } from 'bullmq'
import type { Redis } from 'ioredis'
import { nameInStack } from '../queue/errors.ts'
import { type Message, partsOf, type Reply, replyChannel } from '../queue/message.ts'

/** The longest result that is published, in characters of JSON. The sender reads a longer one from the job. */
const small = 8_192

export class Replies {
  readonly #redis: Redis
  readonly #prefix: string
  readonly #pending = new Map<string, string[]>()

  constructor(redis: Redis, prefix: string) {
    this.#redis = redis
    this.#prefix = prefix
  }

  /** Call this after the job is acknowledged, so that a look into Redis shows the same. */
  succeeded(job: Job<Message>, result: unknown): void {
    if (job.opts.removeOnComplete === true || !job.id) return
    this.#report(job.id, isLong(result) ? [job.id, 'look'] : [job.id, 'ok', result])
  }

  failed(job: Job<Message>, error: Error): void {
    if (!job.id) return
    const stack = job.stacktrace?.at(-1) ?? error.stack ?? ''
    this.#report(job.id, [job.id, 'error', nameInStack(stack), error.message, stack])
  }

  // #region report
  #report(id: string, reply: Reply) {
    const client = partsOf(id)?.client
    if (client === undefined) return
    const text = JSON.stringify(reply)
    const short = text.length > small ? JSON.stringify([id, 'look']) : text
    const replies = this.#pending.get(client)
    if (replies) replies.push(short)
    else this.#pending.set(client, [short])
    if (!replies && this.#pending.size === 1) setImmediate(() => this.#flush())
  }

  #flush() {
    for (const [client, replies] of this.#pending) {
      // If this fails, the sender looks into Redis within a second.
      this.#redis.publish(replyChannel(this.#prefix, client), `[${replies.join(',')}]`).catch(() => {})
    }
    this.#pending.clear()
  }
  // #endregion report
}

/** Avoids writing a large result as JSON only to measure it. */
const isLong = (value: unknown) => (typeof value === 'string' || Array.isArray(value)) && value.length > small
