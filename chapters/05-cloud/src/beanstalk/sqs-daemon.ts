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
  ReceiveMessageCommand,
  type SQSClient,
} from '@aws-sdk/client-sqs'

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

/**
 * Hands messages to the application until the signal is aborted.
 *
 * @throws an error when the queue fails
 */
export async function runDaemon(options: DaemonOptions): Promise<void> {
  const { sqs, queueUrl, signal } = options
  const underWay = new Set<Promise<void>>()
  let failure: unknown
  while (!signal.aborted && failure === undefined) {
    const received = await sqs
      .send(
        new ReceiveMessageCommand({
          QueueUrl: queueUrl,
          MaxNumberOfMessages: connections - underWay.size,
          WaitTimeSeconds: 20,
          MessageSystemAttributeNames: ['ApproximateReceiveCount', 'ApproximateFirstReceiveTimestamp'],
          MessageAttributeNames: ['All'],
        }),
        { abortSignal: signal },
      )
      .catch((error) => {
        if (!signal.aborted) failure = error
      })
    for (const message of received?.Messages ?? []) {
      const delivery = deliver(message, options)
        .catch((error) => {
          failure = error
        })
        .finally(() => underWay.delete(delivery))
      underWay.add(delivery)
    }
    if (underWay.size >= connections) await Promise.race(underWay)
  }
  await Promise.all(underWay)
  if (failure !== undefined) throw failure
}

async function deliver(message: Message, options: DaemonOptions) {
  const { sqs, queueUrl, url, inactivityTimeoutMs = 299_000, errorVisibilityTimeoutS = 2, onDelivery } = options
  const { MessageId = '', ReceiptHandle, Body = '', Attributes = {}, MessageAttributes = {} } = message
  let answer: number | Error
  try {
    const response = await fetch(url, {
      method: 'POST',
      body: Body,
      headers: {
        'content-type': 'application/json',
        'user-agent': 'aws-sqsd/3.0.4',
        'x-aws-sqsd-msgid': MessageId,
        'x-aws-sqsd-queue': queueUrl.split('/').at(-1) ?? '',
        'x-aws-sqsd-first-received-at': new Date(Number(Attributes.ApproximateFirstReceiveTimestamp)).toISOString(),
        'x-aws-sqsd-receive-count': Attributes.ApproximateReceiveCount ?? '',
        ...Object.fromEntries(
          Object.entries(MessageAttributes).map(([name, { StringValue = '' }]) => [
            `x-aws-sqsd-attr-${name}`,
            StringValue,
          ]),
        ),
      },
      signal: AbortSignal.timeout(inactivityTimeoutMs),
    })
    await response.arrayBuffer()
    answer = response.status
  } catch (error) {
    answer = error as Error
  }
  if (answer === 200) await sqs.send(new DeleteMessageCommand({ QueueUrl: queueUrl, ReceiptHandle }))
  else {
    const soon = { QueueUrl: queueUrl, ReceiptHandle, VisibilityTimeout: errorVisibilityTimeoutS }
    await sqs.send(new ChangeMessageVisibilityCommand(soon))
  }
  onDelivery?.(MessageId, answer)
}
