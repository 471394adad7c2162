/**
 * What Elastic Beanstalk runs beside the application on every instance of a worker tier: a daemon that takes messages from
 * the queue and hands each to the application as a POST on the same machine. 200 means done, and the message is deleted;
 * everything else, and no answer, means that it shall come again.
 *
 * Amazon's own (aws-sqsd) is not for download; this one keeps to its documentation:
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
  /** How many messages the application is given at once; 10. Beanstalk's "HTTP connections". */
  connections?: number
  /** How long the application may take for one; 299 s. Beanstalk's "inactivity timeout". */
  inactivityTimeoutMs?: number
  /** After how long a failed message may be taken again; 2 s. Beanstalk's "error visibility timeout". */
  errorVisibilityTimeoutS?: number
  /** Told of every answer: the HTTP status, or why there was none. */
  onDelivery?: (messageId: string, answer: number | Error) => void
  /** Ends the daemon once the messages it has taken are answered. */
  signal: AbortSignal
}

/** Hands messages to the application until the signal is aborted. Fails where the queue does. */
export async function runDaemon(options: DaemonOptions): Promise<void> {
  const { sqs, queueUrl, connections = 10, signal } = options
  const underWay = new Set<Promise<void>>()
  let failure: unknown
  while (!signal.aborted && failure === undefined) {
    const received = await sqs
      .send(
        new ReceiveMessageCommand({
          QueueUrl: queueUrl,
          MaxNumberOfMessages: Math.min(10, connections - underWay.size),
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
