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
  GetQueueUrlCommand,
  type Message,
  paginateListQueues,
  ReceiveMessageCommand,
  SendMessageBatchCommand,
  SendMessageCommand,
  type SQSClient,
} from '@aws-sdk/client-sqs'
import type { CloudError } from './cloud/errors.ts'
import { isOwnName, ownName, ownPrefix, tagKey, tagValue } from './cloud/ownership.ts'
import { describeLeft, removeEach, unlessGone } from './cloud/removal.ts'

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

/** How long a consumer that leaves still waits for the answer to its last request, in steps. */
const [lastAnswerSteps, stepMs] = [10, 50]

/** Creates the three queues of one run. Disposing of them deletes them. */
export async function makeQueues(
  sqs: SQSClient,
  { visibilitySeconds = 30, tries = 3, signal }: QueueOptions = {},
): Promise<Queues> {
  const name = ownName()
  const made: string[] = []
  const make = async (purpose: string, attributes: Record<string, string>) => {
    signal?.throwIfAborted()
    const QueueName = `${name}-${purpose}`
    // Without the signal: after an aborted request we would not know whether the queue exists.
    const request = new CreateQueueCommand({
      QueueName,
      // What a killed program leaves in it expires after an hour. An empty queue costs nothing.
      Attributes: { MessageRetentionPeriod: '3600', ...attributes },
      tags: { [tagKey]: tagValue },
    })
    try {
      const { QueueUrl = '' } = await sqs.send(request)
      made.push(QueueUrl)
      return QueueUrl
    } catch (error) {
      // Perhaps only its answer was lost.
      const found = await sqs.send(new GetQueueUrlCommand({ QueueName })).catch(() => undefined)
      if (found?.QueueUrl) made.push(found.QueueUrl)
      throw error
    }
  }
  const remove = async () => {
    const queues = { find: async () => made, remove: (url: string) => deleteQueue(sqs, url) }
    const { left } = await removeEach({ queues })
    if (left.length > 0) throw new Error(describeLeft(left))
  }
  try {
    // Their reader deletes at once what it takes. If the answer to it was lost, it comes again soon.
    const soon = { VisibilityTimeout: '5' }
    const dead = await make('dead', soon)
    const redrive = { deadLetterTargetArn: await queueArn(sqs, dead), maxReceiveCount: tries }
    const jobs = await make('jobs', {
      VisibilityTimeout: String(visibilitySeconds),
      RedrivePolicy: JSON.stringify(redrive),
    })
    const results = await make('results', soon)
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

/**
 * What one request may hold: ten messages, and 256 KiB in all. Amazon has allowed 1 MiB since 2025; other queues have not.
 * https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/quotas-messages.html
 */
const mostEntries = 10
const mostBytes = 262_144

/** Divides messages among requests. One that is too large for any request has its own, and the queue decides. */
function* batchesOf(bodies: string[]): Generator<string[], void> {
  let batch: string[] = []
  let bytes = 0
  for (const body of bodies) {
    const size = Buffer.byteLength(body)
    if (batch.length === mostEntries || (batch.length > 0 && bytes + size > mostBytes)) {
      yield batch
      batch = []
      bytes = 0
    }
    batch.push(body)
    bytes += size
  }
  if (batch.length > 0) yield batch
}

/** Sends values as JSON, in as few requests as possible. */
export async function sendAll(sqs: SQSClient, url: string, values: unknown[], signal?: AbortSignal): Promise<void> {
  for (const batch of batchesOf(values.map((value) => JSON.stringify(value)))) {
    let entries = batch.map((MessageBody, index) => ({ Id: `${index}`, MessageBody }))
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
 * one. Whoever may send to the queue decides what arrives: a message that is no JSON is deleted and skipped, and the
 * caller looks at what the others hold.
 */
export async function* receiveAll(sqs: SQSClient, url: string, signal: AbortSignal): AsyncGenerator<unknown, void> {
  for (;;) {
    const messages = await receive(sqs, url, 10, signal)
    if (messages.length === 0) continue
    const entries = messages.map(({ ReceiptHandle }, index) => ({ Id: `${index}`, ReceiptHandle }))
    await sqs.send(new DeleteMessageBatchCommand({ QueueUrl: url, Entries: entries }), { abortSignal: signal })
    for (const { Body = '' } of messages) {
      const value = parseJson(Body)
      if (value !== undefined) yield value
    }
  }
}

/** The value of a text in JSON; undefined if it is none. */
export function parseJson(json: string): unknown {
  try {
    return JSON.parse(json)
  } catch {
    return undefined
  }
}

/** The attribute of a message that was put back: how often its job had been delivered by then. */
const earlierTries = 'earlierTries'

/** Delivery number of a message's job, from 1. */
function triesOf({ Attributes, MessageAttributes }: Message): number {
  const earlier = Number(MessageAttributes?.[earlierTries]?.StringValue ?? 0)
  return earlier + Number(Attributes?.ApproximateReceiveCount ?? 1)
}

/**
 * Puts a job back into its queue. The queue counts deliveries, and would take a job that was put back three times for one
 * that has failed three times. So a new message with the same job replaces the old one.
 */
async function putBack(sqs: SQSClient, url: string, message: Message): Promise<void> {
  const MessageAttributes = { [earlierTries]: { DataType: 'Number', StringValue: String(triesOf(message)) } }
  await sqs.send(new SendMessageCommand({ QueueUrl: url, MessageBody: message.Body, MessageAttributes }))
  // Not earlier: a worker that dies in between leaves two messages, and not none.
  await sqs.send(new DeleteMessageCommand({ QueueUrl: url, ReceiptHandle: message.ReceiptHandle }))
}

async function receive(sqs: SQSClient, url: string, most: number, signal: AbortSignal): Promise<Message[]> {
  const { Messages = [] } = await sqs.send(
    new ReceiveMessageCommand({
      QueueUrl: url,
      MaxNumberOfMessages: most,
      WaitTimeSeconds: waitSeconds,
      MessageSystemAttributeNames: ['ApproximateReceiveCount'],
      MessageAttributeNames: [earlierTries],
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
  // #region handle
  async function handle(received: Message) {
    const { Body = 'null', ReceiptHandle } = received
    const message = { QueueUrl: url, ReceiptHandle }
    const hideFor = async (seconds: number) => {
      // The queue refuses when another consumer now has the message. Then deleting it fails too, or the work is done
      // twice.
      await sqs.send(new ChangeMessageVisibilityCommand({ ...message, VisibilityTimeout: seconds })).catch(() => {})
    }
    const tries = triesOf(received)
    const claim = setInterval(() => void hideFor(visibilitySeconds), (1000 * visibilitySeconds) / 3)
    try {
      await work(JSON.parse(Body) as Value, { tries, leave })
      clearInterval(claim)
      await sqs.send(new DeleteMessageCommand(message))
    } catch {
      clearInterval(claim)
      // It goes back at once when we leave, and after a while when the work has failed.
      if (leave.aborted) await putBack(sqs, url, received).catch(() => hideFor(0))
      else await hideFor(Math.min(visibilitySeconds, 2 ** tries - 1))
    }
  }
  // #endregion handle
  const hangUp = soonAfter(leave)
  async function take() {
    while (!leave.aborted) {
      let messages: Message[] = []
      try {
        messages = await receive(sqs, url, 1, hangUp)
      } catch (error) {
        if (!leave.aborted) throw error
      }
      for (const message of messages) await handle(message)
    }
  }
  await Promise.all(Array.from({ length: concurrency }, take))
}

/**
 * The signal with which a consumer that leaves ends its last request. A message that the queue has just handed out would
 * stay hidden for the whole timeout if nobody read the answer.
 */
export function soonAfter(leave: AbortSignal): AbortSignal {
  const hangUp = new AbortController()
  async function hangUpSoon() {
    // If this process gets no time for a while, only one step passes meanwhile: what has arrived is read before the next.
    for (let step = 0; step < lastAnswerSteps; step++) await delay(stepMs, undefined, { ref: false })
    hangUp.abort(leave.reason)
  }
  leave.addEventListener('abort', () => void hangUpSoon(), { once: true })
  return hangUp.signal
}

/**
 * Whether the queue no longer knows a receipt handle: the message was hidden for too short a time, and somebody else has it
 * or had it. Amazon has three names for this.
 */
export function isLostHandle(error: unknown): boolean {
  const { name, message } = error as CloudError
  return (
    ['MessageNotInflight', 'ReceiptHandleIsInvalid'].includes(name) ||
    (name === 'InvalidParameterValue' && /receipt ?handle/i.test(message))
  )
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
  const urls: string[] = []
  const pages = paginateListQueues({ client: sqs, pageSize: 1000 }, { QueueNamePrefix: ownPrefix })
  for await (const { QueueUrls = [] } of pages) urls.push(...QueueUrls)
  return urls.filter((url) => {
    const [, name = ''] = /\/([^/]+)-(?:jobs|results|dead)$/.exec(url) ?? []
    return isOwnName(name)
  })
}

/** Deletes a queue with all its messages. Does nothing when the queue does not exist. */
export async function deleteQueue(sqs: SQSClient, url: string, signal?: AbortSignal): Promise<void> {
  await unlessGone(sqs.send(new DeleteQueueCommand({ QueueUrl: url }), { abortSignal: signal }))
}
