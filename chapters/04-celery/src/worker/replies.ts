/** Tells senders what became of their tasks: one PUBLISH per sender for all tasks that ended in one turn of the event loop. */
import type { Job } from 'bullmq'
import type { Redis } from 'ioredis'
import { nameInStack } from '../queue/errors.ts'
import { type Message, partsOf, type Reply, replyChannel } from '../queue/message.ts'

/** Characters of JSON up to which a result is told; a larger one its sender reads from the job. */
const small = 8_192

export class Replies {
  readonly #redis: Redis
  readonly #prefix: string
  readonly #pending = new Map<string, string[]>()

  constructor(redis: Redis, prefix: string) {
    this.#redis = redis
    this.#prefix = prefix
  }

  /** To be called when the job is acknowledged, so that whoever then looks into Redis sees the same. */
  succeeded(job: Job<Message>, result: unknown): void {
    if (job.opts.removeOnComplete === true || !job.id) return
    this.#tell(job.id, isLong(result) ? [job.id, 'look'] : [job.id, 'ok', result])
  }

  failed(job: Job<Message>, error: Error): void {
    if (!job.id) return
    const stack = job.stacktrace?.at(-1) ?? error.stack ?? ''
    this.#tell(job.id, [job.id, 'error', nameInStack(stack), error.message, stack])
  }

  #tell(id: string, reply: Reply) {
    const client = partsOf(id)?.client
    if (client === undefined) return
    const text = JSON.stringify(reply)
    const told = text.length > small ? JSON.stringify([id, 'look']) : text
    const replies = this.#pending.get(client)
    if (replies) replies.push(told)
    else this.#pending.set(client, [told])
    if (!replies && this.#pending.size === 1) setImmediate(() => this.#flush())
  }

  #flush() {
    for (const [client, replies] of this.#pending) {
      // A sender that is not told looks for itself after a second.
      this.#redis.publish(replyChannel(this.#prefix, client), `[${replies.join(',')}]`).catch(() => {})
    }
    this.#pending.clear()
  }
}

/** Not worth being turned into JSON only to see how long it is. */
const isLong = (value: unknown) => (typeof value === 'string' || Array.isArray(value)) && value.length > small
