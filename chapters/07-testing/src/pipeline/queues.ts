/** The queues, for the front and the workers: what is put in, and what is taken out. */
import { type Job, Queue, type Telemetry, UnrecoverableError } from 'bullmq'
import { type Order, orderSchema, type Stage, stages } from './orders.ts'
import type { RedisStore } from './redis-store.ts'

/** A lost connection is soon re-established, and commands wait for it. */
export const connectionTo = (url: string) => ({
  url,
  maxRetriesPerRequest: null,
  retryStrategy: (attempt: number) => Math.min(20 * attempt, 200),
})

const jobSuffix = '.job'

/** The id of an order's job. BullMQ's own keys stand beside it: an order called `meta` or `failed` must not be one of them. */
export const jobIdOf = (order: string) => `${order}${jobSuffix}`

/** The id of the order of a job. */
export const orderIdOf = (job: string) => (job.endsWith(jobSuffix) ? job.slice(0, -jobSuffix.length) : job)

/** The name of the message that puts an order into a stage's queue, in the logs of both ends. */
export const messageName = (stage: Stage, { id }: Order) => `${stage} ${id}`

/**
 * Returns the order in a job.
 *
 * @throws UnrecoverableError when it is not an order: another delivery would not change that, so BullMQ gives up on the
 *   job
 */
export function orderIn({ data }: Pick<Job<unknown>, 'data'>): Order {
  const { data: order, error } = orderSchema.safeParse(data)
  if (order) return order
  const [issue] = error.issues
  throw new UnrecoverableError(`no order: ${issue?.path.join('.') || 'order'}: ${issue?.message}`)
}

/**
 * Returns the orders that are placed and have no job: their front ended between the two, and nobody works on them. Their
 * client has no answer, and may never ask again.
 */
export async function unsentOrders(store: RedisStore, queues: Record<Stage, Queue<Order>>): Promise<Order[]> {
  const placed = await store.placed()
  const jobs = await Promise.all(placed.map(({ id }) => queues.payment.getJob(jobIdOf(id))))
  return placed.filter((_, at) => !jobs[at])
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
    /** Adds an order to a stage's queue. The job's id follows from the order's, so a second job is not added. */
    async send(stage: Stage, order: Order): Promise<'sent'> {
      await queues[stage].add(stage, order, {
        jobId: jobIdOf(order.id),
        // The handler decides how often a failed charge is retried.
        attempts: 1_000_000,
        backoff: { type: 'custom' },
      })
      return 'sent'
    },
    close: async () => void (await Promise.all(entries.map(([, queue]) => queue.close()))),
  }
}
