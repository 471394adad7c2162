/** The queues, for front and workers: what is put in, and what is taken out. */
import { type Job, Queue, type Telemetry, UnrecoverableError } from 'bullmq'
import { type Order, orderSchema, type Stage, stages } from './orders.ts'

/** A lost connection is made again soon, and commands wait for it. */
export const connectionTo = (url: string) => ({
  url,
  maxRetriesPerRequest: null,
  retryStrategy: (attempt: number) => Math.min(20 * attempt, 200),
})

/** What the logs of both its ends call the message that puts an order into a stage's queue. */
export const messageName = (stage: Stage, { id }: Order) => `${stage} ${id}`

/**
 * The order in a job.
 *
 * @throws UnrecoverableError when there is none: BullMQ does not deliver it again, for it would not become one
 */
export function orderIn({ data }: Pick<Job<unknown>, 'data'>): Order {
  const { data: order, error } = orderSchema.safeParse(data)
  if (order) return order
  const [issue] = error.issues
  throw new UnrecoverableError(`no order: ${issue?.path.join('.') || 'order'}: ${issue?.message}`)
}

interface Settings {
  url: string
  prefix: string
  telemetry?: Telemetry | undefined
}

export function openQueues({ url, prefix, telemetry }: Settings) {
  const entries = stages.map((stage) => {
    const queue = new Queue<Order>(stage, { connection: connectionTo(url), prefix, ...(telemetry && { telemetry }) })
    queue.on('error', () => {})
    return [stage, queue] as const
  })
  const queues = Object.fromEntries(entries) as Record<Stage, Queue<Order>>
  return {
    queues,
    /** Adds a job for an order to a stage's queue. The job's id is the order's: a second one is not added. */
    async send(stage: Stage, order: Order): Promise<'sent'> {
      await queues[stage].add(stage, order, {
        jobId: order.id,
        // A charge that failed is tried again; when to stop is decided by the handler.
        attempts: 1_000_000,
        backoff: { type: 'custom' },
      })
      return 'sent'
    },
    close: async () => void (await Promise.all(entries.map(([, queue]) => queue.close()))),
  }
}
