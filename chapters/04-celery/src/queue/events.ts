/** What happens to the tasks of some queues, as it happens: Celery's events, read from BullMQ's event streams. */
import { QueueEvents } from 'bullmq'
import type { Client } from './client.ts'

/** In Celery: task-sent, task-started, task-succeeded, task-failed, task-retried or an ETA, none, none. */
export type TaskEvent = { id: string; queue: string; at: Date } & (
  | { type: 'sent'; task: string }
  | { type: 'started' }
  | { type: 'succeeded'; result: unknown }
  | { type: 'failed'; message: string }
  | { type: 'scheduled'; until: Date }
  | { type: 'progress'; progress: unknown }
  /** Its worker has died; it waits for another one. */
  | { type: 'lost' }
)

/**
 * Calls `listener` with each new event of some queues, in order within each queue, until the returned object is
 * disposed of. Redis keeps about 10,000 events for each queue: a listener that falls further behind misses older ones.
 */
export async function listen(
  client: Client,
  queues: readonly string[],
  listener: (event: TaskEvent) => void,
): Promise<AsyncDisposable> {
  const sources = await Promise.all(
    queues.map(async (queue) => {
      // Begins after the last event as of now, not as of the moment when the connection is made.
      const [last] = await client.redis.xrevrange(`${client.prefix}:${queue}:events`, '+', '-', 'COUNT', 1)
      const connection = client.redis.duplicate({ maxRetriesPerRequest: null })
      const source = new QueueEvents(queue, {
        connection,
        prefix: client.prefix,
        lastEventId: last?.[0] ?? '0-0',
      })
      forward(source, queue, listener)
      await source.waitUntilReady()
      return { source, connection }
    }),
  )
  return {
    async [Symbol.asyncDispose]() {
      for (const { source, connection } of sources) {
        await source.close()
        if (connection.status !== 'end') connection.disconnect()
      }
    },
  }
}

function forward(source: QueueEvents, queue: string, listener: (event: TaskEvent) => void) {
  // An event's id begins with the milliseconds since 1970 at which Redis stored it.
  const common = (id: string, event: string) => ({ id, queue, at: new Date(Number.parseInt(event, 10)) })
  source.on('error', () => {})
  source.on('added', ({ jobId, name }, at) => listener({ ...common(jobId, at), type: 'sent', task: name }))
  source.on('active', ({ jobId }, at) => listener({ ...common(jobId, at), type: 'started' }))
  source.on('completed', ({ jobId, returnvalue }, at) =>
    listener({ ...common(jobId, at), type: 'succeeded', result: returnvalue }),
  )
  source.on('failed', ({ jobId, failedReason }, at) =>
    listener({ ...common(jobId, at), type: 'failed', message: failedReason }),
  )
  source.on('delayed', ({ jobId, delay }, at) =>
    listener({ ...common(jobId, at), type: 'scheduled', until: new Date(delay) }),
  )
  source.on('progress', ({ jobId, data }, at) => listener({ ...common(jobId, at), type: 'progress', progress: data }))
  source.on('stalled', ({ jobId }, at) => listener({ ...common(jobId, at), type: 'lost' }))
}
