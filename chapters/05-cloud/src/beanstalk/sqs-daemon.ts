/**
 * The daemon that Elastic Beanstalk runs beside the application on every instance of a worker tier. It takes messages
 * from the queue and posts each to the application on the same machine. After an answer of 200 it deletes the message.
 * After any other answer, or none, the message comes again.
 *
 * Amazon's own daemon, aws-sqsd, cannot be downloaded. This one follows its documentation:
 * https://docs.aws.amazon.com/elasticbeanstalk/latest/dg/using-features-managing-env-tiers.html
 */
import {
  ChangeMessageVisibilityCommand,
  DeleteMessageCommand,
  type Message,
  type MessageAttributeValue,
  ReceiveMessageCommand,
  type SQSClient,
} from '@aws-sdk/client-sqs'
import { isLostHandle, soonAfter } from '../queues.ts'

export interface DaemonOptions {
  sqs: SQSClient
  queueUrl: string
  /** Where the application listens. */
  url: string
  /** How long the application may take for a message; 299 s. Beanstalk's "inactivity timeout". */
  inactivityTimeoutMs?: number
  /** How long a failed message stays hidden; 2 s. Beanstalk's "error visibility timeout". */
  errorVisibilityTimeoutS?: number
  /** Called with every answer: the HTTP status, or why there was no answer. */
  onDelivery?: (messageId: string, answer: number | Error) => void
  /** When aborted, the daemon waits for the answers to the messages it has taken, then ends. */
  signal: AbortSignal
}

/** How many messages the application gets at once: Beanstalk's "HTTP connections". A request asks for ten at most. */
const connections = 10

const usualInactivityTimeoutMs = 299_000

/**
 * A message stays hidden for longer than the application may take, whatever the queue's own timeout is. Otherwise it would
 * be delivered again while the first delivery is being worked on. The margin is for a busy machine.
 */
const visibilityMarginS = 10

/**
 * Hands messages to the application until the signal is aborted. A message's attributes become headers, except binary ones
 * and those behind the first 6 kB, which are left out.
 *
 * @throws an error when the queue fails
 */
export async function runDaemon(options: DaemonOptions): Promise<void> {
  const { sqs, queueUrl, inactivityTimeoutMs = usualInactivityTimeoutMs, signal } = options
  const failed = new AbortController()
  const stop = AbortSignal.any([signal, failed.signal])
  const hangUp = soonAfter(stop)
  const underWay = new Set<Promise<void>>()
  while (!stop.aborted) {
    const received = await sqs
      .send(
        new ReceiveMessageCommand({
          QueueUrl: queueUrl,
          MaxNumberOfMessages: connections - underWay.size,
          WaitTimeSeconds: 20,
          VisibilityTimeout: Math.ceil(inactivityTimeoutMs / 1000) + visibilityMarginS,
          MessageSystemAttributeNames: ['ApproximateReceiveCount', 'ApproximateFirstReceiveTimestamp'],
          MessageAttributeNames: ['All'],
        }),
        { abortSignal: hangUp },
      )
      .catch((error) => {
        if (!stop.aborted) failed.abort(error)
      })
    for (const message of received?.Messages ?? []) {
      const delivery = deliver(message, options)
        .catch((error) => failed.abort(error))
        .finally(() => underWay.delete(delivery))
      underWay.add(delivery)
    }
    if (underWay.size >= connections) await Promise.race(underWay)
  }
  await Promise.all(underWay)
  failed.signal.throwIfAborted()
}

async function deliver(message: Message, options: DaemonOptions) {
  const { sqs, queueUrl, url, inactivityTimeoutMs, errorVisibilityTimeoutS = 2, onDelivery } = options
  const { MessageId = '', ReceiptHandle, Body = '' } = message
  let answer: number | Error
  try {
    const response = await fetch(url, {
      method: 'POST',
      body: Body,
      headers: headersOf(message, queueUrl),
      // A redirected POST becomes a GET without the message, and what answers 200 to that has done nothing.
      redirect: 'manual',
      signal: AbortSignal.timeout(inactivityTimeoutMs ?? usualInactivityTimeoutMs),
    })
    // To its end, so that its connection can carry the next message, and without keeping it.
    for await (const _ of response.body ?? []);
    answer = response.status
  } catch (error) {
    answer = error as Error
  }
  const handle = { QueueUrl: queueUrl, ReceiptHandle }
  try {
    // #region answer
    if (answer === 200) await sqs.send(new DeleteMessageCommand(handle))
    else {
      const soon = { ...handle, VisibilityTimeout: errorVisibilityTimeoutS }
      await sqs.send(new ChangeMessageVisibilityCommand(soon))
    }
    // #endregion answer
  } catch (error) {
    // The message is visible again, and comes again.
    if (!isLostHandle(error)) throw error
  }
  onDelivery?.(MessageId, answer)
}

/** Beanstalk's headers for a message. */
function headersOf({ MessageId = '', Attributes = {}, MessageAttributes = {} }: Message, queueUrl: string): Headers {
  const received = Number(Attributes.ApproximateFirstReceiveTimestamp)
  const headers = new Headers({
    'content-type': 'application/json',
    'user-agent': 'aws-sqsd/3.0.4',
    'x-aws-sqsd-msgid': MessageId,
    'x-aws-sqsd-queue': queueUrl.split('/').at(-1) ?? '',
    'x-aws-sqsd-receive-count': Attributes.ApproximateReceiveCount ?? '',
    ...(received > 0 && { 'x-aws-sqsd-first-received-at': new Date(received).toISOString() }),
  })
  let bytes = 0
  for (const [name, { StringValue }] of Object.entries(MessageAttributes) as [string, MessageAttributeValue][]) {
    if (StringValue === undefined) continue
    const [header, value] = attributeHeader(name, StringValue)
    bytes += header.length + value.length
    if (bytes > mostAttributeBytes) break
    headers.set(header, value)
  }
  return headers
}

/** Servers refuse a request whose headers are longer than 8 to 16 kB, and the message would never be delivered. */
const mostAttributeBytes = 6_000

/**
 * The header for an attribute. The value of a header is a line of printable ASCII, without blanks at its ends. An attribute
 * with any other value has a header with an asterisk behind its name, and the value as RFC 8187 encodes it:
 * `UTF-8''na%C3%AFve`. (Amazon's documentation does not say what its daemon does with them.)
 */
function attributeHeader(name: string, value: string): [header: string, value: string] {
  const header = `x-aws-sqsd-attr-${name}`
  if (/^(?! )[ -~]*(?<! )$/.test(value)) return [header, value]
  const encoded = encodeURIComponent(value.toWellFormed()).replaceAll(
    /[!'()*]/g,
    (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`,
  )
  return [`${header}*`, `UTF-8''${encoded}`]
}
