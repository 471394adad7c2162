/** SQS, by chapter 5's queues. */
import { CreateQueueCommand, GetQueueAttributesCommand } from '@aws-sdk/client-sqs'
import { sqsClient } from '05-cloud/cloud/clients'
import { consume, sendAll } from '05-cloud/queues'
import type { Reach } from '../brokers/broker.ts'
import type { Adapter, Job } from './adapter.ts'

const seconds = (ms: number) => Math.ceil(ms / 1_000)

function clientOf({ endpoints: [endpoint], user, password }: Reach) {
  const url = `http://${endpoint?.host}:${endpoint?.port}`
  const credentials = { accessKeyId: user, secretAccessKey: password }
  return sqsClient({ kind: 'practice', url, region: 'us-east-1', credentials })
}

/** It answers with the queue's URL also where the queue exists. */
const urlOf = async (sqs: ReturnType<typeof clientOf>, QueueName: string) =>
  (await sqs.send(new CreateQueueCommand({ QueueName }))).QueueUrl ?? ''

export const sqs: Adapter = {
  async prepare(reach, QueueName, { leaseMs }) {
    const VisibilityTimeout = String(seconds(leaseMs))
    const sqs = clientOf(reach)
    await sqs.send(new CreateQueueCommand({ QueueName, Attributes: { VisibilityTimeout } }))
    sqs.destroy()
  },
  async open(reach, queue) {
    const sqs = clientOf(reach)
    const url = await urlOf(sqs, queue)
    return {
      send: (jobs) => sendAll(sqs, url, [...jobs]),
      async left() {
        const AttributeNames = ['ApproximateNumberOfMessages', 'ApproximateNumberOfMessagesNotVisible'] as const
        const { Attributes = {} } = await sqs.send(
          new GetQueueAttributesCommand({ QueueUrl: url, AttributeNames: [...AttributeNames] }),
        )
        return AttributeNames.reduce((sum, name) => sum + Number(Attributes[name] ?? 0), 0)
      },
      close: async () => sqs.destroy(),
    }
  },
  async work({ reach, queue, concurrency, leaseMs }, run) {
    const sqs = clientOf(reach)
    const url = await urlOf(sqs, queue)
    const leave = new AbortController()
    const options = { leave: leave.signal, visibilitySeconds: seconds(leaseMs), concurrency }
    const consumed = consume<Job>(sqs, url, options, (job) => run(job))
    return {
      async stop() {
        leave.abort()
        await consumed
      },
    }
  },
}
