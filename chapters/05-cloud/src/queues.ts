/**
 * A queue in the cloud delivers each message at least once. Who receives one has it for a while, the visibility timeout:
 * it is hidden from everybody else, and comes back unless it is deleted by then. So the message of a worker that dies is
 * done by another, and now and then one is done twice. A message that has come back too often goes to the dead letters.
 */
import { setTimeout as delay } from 'node:timers/promises'
import {
  ChangeMessageVisibilityCommand,
  CreateQueueCommand,
  DeleteMessageBatchCommand,
  DeleteMessageCommand,
  DeleteQueueCommand,
  GetQueueAttributesCommand,
  ListQueuesCommand,
  type Message,
  ReceiveMessageCommand,
  SendMessageBatchCommand,
  SendMessageCommand,
  type SQSClient,
} from '@aws-sdk/client-sqs'
import { tagKey, tagValue } from './cloud/tag.ts'
import { isOwnName, ownName, ownPrefix } from './storage/buckets.ts'

export interface QueueUrls {
  jobs: string
  results: string
  /** The jobs that failed too often. */
  dead: string
}

export interface Queues extends AsyncDisposable {
  urls: QueueUrls
}

export interface QueueOptions {
  /** How long who receives a job has it, unless it asks for more time; 30. */
  visibilitySeconds?: number
  /** After so many deliveries a job goes to the dead letters; 3. */
  tries?: number
  signal?: AbortSignal | undefined
}

/** The longest that a request for messages may wait for one. */
const waitSeconds = 20

/** Makes the three queues of one run; disposing of them deletes them. */
export async function makeQueues(
  sqs: SQSClient,
  { visibilitySeconds = 30, tries = 3, signal }: QueueOptions = {},
): Promise<Queues> {
  const name = ownName()
  const made: string[] = []
  const make = async (purpose: string, attributes: Record<string, string>) => {
    const { QueueUrl = '' } = await sqs.send(
      new CreateQueueCommand({
        QueueName: `${name}-${purpose}`,
        // What a killed program leaves in it is gone after an hour; an empty queue costs nothing.
        Attributes: { MessageRetentionPeriod: '3600', ...attributes },
        tags: { [tagKey]: tagValue },
      }),
      { abortSignal: signal },
    )
    made.push(QueueUrl)
    return QueueUrl
  }
  const remove = async () => {
    await Promise.all(made.map((url) => deleteQueue(sqs, url)))
  }
  try {
    const dead = await make('dead', {})
    const redrive = { deadLetterTargetArn: await queueArn(sqs, dead), maxReceiveCount: tries }
    const jobs = await make('jobs', {
      VisibilityTimeout: String(visibilitySeconds),
      RedrivePolicy: JSON.stringify(redrive),
    })
    const results = await make('results', {})
    return { urls: { jobs, results, dead }, [Symbol.asyncDispose]: remove }
  } catch (error) {
    await remove()
    throw error
  }
}

/** A queue's Amazon resource name. */
export async function queueArn(sqs: SQSClient, url: string): Promise<string> {
  const request = new GetQueueAttributesCommand({ QueueUrl: url, AttributeNames: ['QueueArn'] })
  return (await sqs.send(request)).Attributes?.QueueArn ?? ''
}

/** Sends values as JSON, in as few requests as may be. */
export async function sendAll(sqs: SQSClient, url: string, values: unknown[], signal?: AbortSignal): Promise<void> {
  const most = 10
  for (let at = 0; at < values.length; at += most) {
    let entries = values
      .slice(at, at + most)
      .map((value, index) => ({ Id: `${index}`, MessageBody: JSON.stringify(value) }))
    // A batch may succeed in part.
    for (let attempt = 1; entries.length > 0; attempt++) {
      const { Failed = [] } = await sqs.send(new SendMessageBatchCommand({ QueueUrl: url, Entries: entries }), {
        abortSignal: signal,
      })
      const [first] = Failed
      if (first && (first.SenderFault || attempt === 3)) throw new Error(`a message was refused: ${first.Message}`)
      entries = entries.filter(({ Id }) => Failed.some((failure) => failure.Id === Id))
    }
  }
}

export async function send(sqs: SQSClient, url: string, value: unknown, signal?: AbortSignal): Promise<void> {
  await sqs.send(new SendMessageCommand({ QueueUrl: url, MessageBody: JSON.stringify(value) }), { abortSignal: signal })
}

/** Yields what arrives in a queue, each message deleted before it is handed out: for what may be lost with its reader. */
export async function* receiveAll<Value>(
  sqs: SQSClient,
  url: string,
  signal: AbortSignal,
): AsyncGenerator<Value, void> {
  for (;;) {
    const messages = await receive(sqs, url, 10, signal)
    if (messages.length === 0) continue
    const entries = messages.map(({ ReceiptHandle }, index) => ({ Id: `${index}`, ReceiptHandle }))
    await sqs.send(new DeleteMessageBatchCommand({ QueueUrl: url, Entries: entries }), { abortSignal: signal })
    for (const { Body = 'null' } of messages) yield JSON.parse(Body) as Value
  }
}

async function receive(sqs: SQSClient, url: string, most: number, signal: AbortSignal): Promise<Message[]> {
  const { Messages = [] } = await sqs.send(
    new ReceiveMessageCommand({
      QueueUrl: url,
      MaxNumberOfMessages: most,
      WaitTimeSeconds: waitSeconds,
      MessageSystemAttributeNames: ['ApproximateReceiveCount'],
    }),
    { abortSignal: signal },
  )
  return Messages
}

export interface ConsumeOptions {
  /** Aborted when this consumer shall leave: what it holds goes back at once. */
  leave: AbortSignal
  /** The queue's; the message is claimed again each third of it. */
  visibilitySeconds: number
  /** How many messages at once; 1. */
  concurrency?: number
}

/**
 * Receives messages and hands each to `work` until told to leave. A message whose work is fulfilled is deleted; one whose
 * work is rejected comes back, and at last goes to the dead letters. While the work runs the message is claimed again and
 * again, as long as the work lets the event loop turn.
 *
 * @throws when the queue cannot be reached
 */
export async function consume<Value>(
  sqs: SQSClient,
  url: string,
  { leave, visibilitySeconds, concurrency = 1 }: ConsumeOptions,
  work: (value: Value, delivery: { tries: number; leave: AbortSignal }) => Promise<void>,
): Promise<void> {
  async function handle({ Body = 'null', ReceiptHandle, Attributes }: Message) {
    const message = { QueueUrl: url, ReceiptHandle }
    const hideFor = async (seconds: number) => {
      // Refused when the message is no longer ours, which its deletion or its next delivery shows.
      await sqs.send(new ChangeMessageVisibilityCommand({ ...message, VisibilityTimeout: seconds })).catch(() => {})
    }
    const tries = Number(Attributes?.ApproximateReceiveCount ?? 1)
    const claim = setInterval(() => void hideFor(visibilitySeconds), (1000 * visibilitySeconds) / 3)
    try {
      await work(JSON.parse(Body) as Value, { tries, leave })
      clearInterval(claim)
      await sqs.send(new DeleteMessageCommand(message))
    } catch {
      clearInterval(claim)
      // Back to the others: at once when we leave, and after a while when the work has failed.
      await hideFor(leave.aborted ? 0 : Math.min(visibilitySeconds, 2 ** tries - 1))
    }
  }
  async function take() {
    while (!leave.aborted) {
      let messages: Message[] = []
      try {
        messages = await receive(sqs, url, 1, leave)
      } catch (error) {
        if (!leave.aborted) throw error
      }
      for (const message of messages) await handle(message)
    }
  }
  await Promise.all(Array.from({ length: concurrency }, take))
}

/** Waits until so many messages are with consumers. How many are is known only about, and in a real cloud a while later. */
export async function untilHeld(sqs: SQSClient, url: string, messages: number, signal: AbortSignal): Promise<void> {
  const ask = new GetQueueAttributesCommand({
    QueueUrl: url,
    AttributeNames: ['ApproximateNumberOfMessagesNotVisible'],
  })
  for (;;) {
    const { Attributes } = await sqs.send(ask, { abortSignal: signal })
    if (Number(Attributes?.ApproximateNumberOfMessagesNotVisible) >= messages) return
    await delay(10, undefined, { signal })
  }
}

/** The queues that programs of this chapter made for one run and did not live to delete, by their URLs. */
export async function leftQueues(sqs: SQSClient): Promise<string[]> {
  const { QueueUrls = [] } = await sqs.send(new ListQueuesCommand({ QueueNamePrefix: ownPrefix, MaxResults: 1000 }))
  return QueueUrls.filter((url) => {
    const [, name = ''] = /\/([^/]+)-(?:jobs|results|dead)$/.exec(url) ?? []
    return isOwnName(name)
  })
}

export async function deleteQueue(sqs: SQSClient, url: string, signal?: AbortSignal): Promise<void> {
  await sqs.send(new DeleteQueueCommand({ QueueUrl: url }), { abortSignal: signal })
}
