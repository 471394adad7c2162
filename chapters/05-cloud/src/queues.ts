/**
 * A queue in the cloud delivers each message at least once. After a delivery the message is hidden from other consumers
 * for a while, the visibility timeout. Unless it is deleted by then, it comes back. So when a worker dies, another one
 * takes over its job, and now and then a job is done twice. A message that comes back too often goes to the dead
 * letters.
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
import { isOwnName, ownName, ownPrefix, tagKey, tagValue } from './cloud/ownership.ts'

export interface QueueUrls {
  jobs: string
  results: string
  /** Jobs that failed too often. */
  dead: string
}

export interface Queues extends AsyncDisposable {
  urls: QueueUrls
}

export interface QueueOptions {
  /** The visibility timeout of jobs; 30. */
  visibilitySeconds?: number
  /** How many deliveries a job gets before it goes to the dead letters; 3. */
  tries?: number
  signal?: AbortSignal | undefined
}

/** The longest time that a request may wait for a message. */
const waitSeconds = 20

/** Creates the three queues of one run. Disposing of them deletes them. */
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
        // What a killed program leaves in it expires after an hour. An empty queue costs nothing.
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

/** Sends values as JSON, in as few requests as possible. */
export async function sendAll(sqs: SQSClient, url: string, values: unknown[], signal?: AbortSignal): Promise<void> {
  const most = 10
  for (let at = 0; at < values.length; at += most) {
    let entries = values
      .slice(at, at + most)
      .map((value, index) => ({ Id: `${index}`, MessageBody: JSON.stringify(value) }))
    // Some messages of a batch may fail.
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

/**
 * Yields the values that arrive in a queue. Deletes each message before yielding it, so a reader that dies can lose
 * one.
 */
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
  /** When aborted, the consumer puts back what it holds and leaves. */
  leave: AbortSignal
  /** The queue's visibility timeout. A consumer asks for more time whenever a third of it has passed. */
  visibilitySeconds: number
  /** How many messages to work on at once; 1. */
  concurrency?: number
}

/**
 * Hands messages to `work` until told to leave. A message is deleted when its work resolves. When its work rejects, the
 * message comes back, and in the end goes to the dead letters. While the work runs, the message stays hidden, as long
 * as the work does not block the event loop.
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
      // The queue refuses when another consumer now has the message. Then deleting it fails too, or the work is done
      // twice.
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
      // It goes back at once when we leave, and after a while when the work has failed.
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

/**
 * Waits until consumers hold at least `messages` messages. A real cloud knows the number only roughly, and with a
 * delay.
 */
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

/** The URLs of queues that killed programs of this chapter have left behind. */
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
