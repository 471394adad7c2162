/** NATS JetStream: a work queue that three nodes keep. */
import { AckPolicy, type JetStreamClient, jetstream, jetstreamManager, RetentionPolicy } from '@nats-io/jetstream'
import { connectNats } from '../brokers/nats.ts'
import type { Adapter, Job } from './adapter.ts'

const consumer = 'workers'
const atOnce = 500

export const nats: Adapter = {
  async prepare(reach, queue, { leaseMs }) {
    await using connection = await connectNats(reach)
    const manager = await jetstreamManager(connection)
    await manager.streams.add({ name: queue, subjects: [queue], retention: RetentionPolicy.Workqueue, num_replicas: 3 })
    const config = { durable_name: consumer, ack_policy: AckPolicy.Explicit, ack_wait: leaseMs * 1e6 }
    await manager.consumers.add(queue, config)
  },
  async open(reach, queue) {
    const connection = await connectNats(reach)
    const client: JetStreamClient = jetstream(connection)
    return {
      async send(jobs) {
        // Many thousands at once would not all be answered in time.
        for (let from = 0; from < jobs.length; from += atOnce) {
          const some = jobs.slice(from, from + atOnce)
          await Promise.all(
            some.map((job) =>
              client.publish(queue, JSON.stringify(job), {
                timeout: 5_000,
                ...(job.ledger !== undefined && { msgID: `${job.ledger} ${job.job}` }),
              }),
            ),
          )
        }
      },
      left: async () => (await (await jetstreamManager(connection)).streams.info(queue)).state.messages,
      close: () => connection.close(),
    }
  },
  async work({ reach, queue, concurrency, leaseMs }, run) {
    const connection = await connectNats(reach)
    const source = await jetstream(connection).consumers.get(queue, consumer)
    // What it has asked a node for that dies is asked again after this time; the default is 30 s.
    const messages = await source.consume({ max_messages: 2 * concurrency, expires: 2 * leaseMs })
    const running = new Set<Promise<void>>()
    const takeAll = async () => {
      for await (const message of messages) {
        // Somebody else gets it unless it is heard of again within the lease.
        const alive = setInterval(() => message.working(), leaseMs / 3)
        const handled = run(message.json<Job>())
          .then(() => message.ack())
          .finally(() => {
            clearInterval(alive)
            running.delete(handled)
          })
        running.add(handled)
        while (running.size >= concurrency) await Promise.race(running)
      }
    }
    const taken = takeAll()
    return {
      async stop() {
        await messages.close()
        await taken
        await Promise.all(running)
        await connection.drain()
      },
    }
  },
}
