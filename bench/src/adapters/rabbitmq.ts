/** RabbitMQ: a quorum queue that three nodes keep. */
import { Connection } from 'rabbitmq-client'
import type { Reach } from '../brokers/broker.ts'
import type { Adapter, Job } from './adapter.ts'

const connectTo = ({ endpoints, user, password }: Reach, leaseMs: number, acquireTimeout = 5_000) => {
  const connection = new Connection({
    hosts: endpoints.map(({ host, port }) => `${host}:${port}`),
    username: user,
    password,
    // Both sides notice after two of these that the other one is gone.
    heartbeat: leaseMs / 1_000,
    retryLow: 100,
    retryHigh: 1_000,
    acquireTimeout,
  })
  connection.on('error', () => {})
  return connection
}
/** For clients, which have no jobs to lose. */
const patientMs = 10_000

const declaration = (queue: string) => ({ queue, durable: true, arguments: { 'x-queue-type': 'quorum' as const } })

export const rabbitmq: Adapter = {
  async prepare(reach, queue, { leaseMs }) {
    // The node that declares it leads it at first: the first one that is there.
    for (const endpoint of reach.endpoints) {
      const connection = connectTo({ ...reach, endpoints: [endpoint] }, leaseMs, 1_000)
      try {
        await connection.queueDeclare(declaration(queue))
        return
      } catch (error) {
        if (endpoint === reach.endpoints.at(-1)) throw error
      } finally {
        await connection.close()
      }
    }
  },
  async open(reach, queue) {
    const connection = connectTo(reach, patientMs)
    await connection.onConnect()
    const publisher = connection.createPublisher({ confirm: true })
    return {
      send: (jobs) => Promise.all(jobs.map((job) => publisher.send({ routingKey: queue, durable: true }, job))),
      // Without those that workers have.
      left: async () => (await connection.queueDeclare({ queue, passive: true })).messageCount,
      close: () => connection.close(),
    }
  },
  async work({ reach, queue, concurrency, leaseMs }, run) {
    const connection = connectTo(reach, leaseMs)
    const options = { queue, concurrency, qos: { prefetchCount: concurrency }, queueOptions: declaration(queue) }
    const consumer = connection.createConsumer(options, async ({ body }) => await run(body as Job))
    consumer.on('error', () => {})
    return {
      async stop() {
        await consumer.close()
        await connection.close()
      },
    }
  },
}
