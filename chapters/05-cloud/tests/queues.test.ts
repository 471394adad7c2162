import { once } from 'node:events'
import { CreateQueueCommand, GetQueueAttributesCommand, SendMessageCommand } from '@aws-sdk/client-sqs'
import { until } from '@repo/common/async/until'
import { AsyncDisposableStack } from '@whatwg-node/disposablestack'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { sqsClient } from '../src/cloud/clients.ts'
import { slowLink } from '../src/local/slow-link.ts'
import { consume, deleteQueue, leftQueues, makeQueues, receiveAll, send, sendAll, untilHeld } from '../src/queues.ts'
import { type OpenCloud, openCloud } from '../src/session/open.ts'
import { faultyStore } from './fixtures/http-faults.ts'

let stack: AsyncDisposableStack
let cloud: OpenCloud

beforeAll(async () => {
  stack = new AsyncDisposableStack()
  cloud = stack.use(await openCloud())
})
afterAll(() => stack.disposeAsync())

const signal = () => AbortSignal.timeout(60_000)

describe('a queue', () => {
  it('delivers more values than fit into one request, each once', async () => {
    await using queues = await makeQueues(cloud.sqs)
    const values = Array.from({ length: 25 }, (_, at) => ({ at }))
    await sendAll(cloud.sqs, queues.urls.results, values)
    const received: unknown[] = []
    for await (const value of receiveAll(cloud.sqs, queues.urls.results, signal())) {
      if (received.push(value) === values.length) break
    }
    expect(received).toHaveLength(values.length)
    expect(received).toEqual(expect.arrayContaining(values))
  })

  it('takes messages that fit into a request one by one, but not together', async () => {
    await using queues = await makeQueues(cloud.sqs)
    // In bytes: each of these letters has three of them. In all more than Amazon and the practice cloud take at once.
    const sizes = [250_000, 1_000, 120_000, 141_000, 60_000, 1_000_000, 10, 261_000, 150_000]
    const values = sizes.map((size) => '語'.repeat(size / 3))
    await sendAll(cloud.sqs, queues.urls.results, values)
    const received: number[] = []
    for await (const value of receiveAll(cloud.sqs, queues.urls.results, signal())) {
      if (received.push(String(value).length) === values.length) break
    }
    expect(received.sort()).toEqual(values.map(({ length }) => length).sort())
  })

  it('is refused, as a message is, where Amazon refuses it', async () => {
    const wrong = [
      new CreateQueueCommand({ QueueName: 'a b' }),
      new CreateQueueCommand({ QueueName: 'a'.repeat(81) }),
      new CreateQueueCommand({ QueueName: 'a.fifo' }),
      new CreateQueueCommand({ QueueName: 'a', Attributes: { Nothing: '1' } as object }),
    ]
    const names = await Promise.all(wrong.map((request) => cloud.sqs.send(request).catch(({ name }: Error) => name)))
    const invalid = 'InvalidParameterValue'
    expect(names).toEqual([invalid, invalid, invalid, 'InvalidAttributeName'])
    await using queues = await makeQueues(cloud.sqs)
    const late = new SendMessageCommand({ QueueUrl: queues.urls.jobs, MessageBody: 'x', DelaySeconds: 901 })
    await expect(cloud.sqs.send(late)).rejects.toMatchObject({ name: invalid })
    const Attributes = { FifoQueue: 'true', ContentBasedDeduplication: 'true' }
    const { QueueUrl = '' } = await cloud.sqs.send(new CreateQueueCommand({ QueueName: 'own.fifo', Attributes }))
    await deleteQueue(cloud.sqs, QueueUrl)
  })

  it('says which message is too large for any request', async () => {
    await using queues = await makeQueues(cloud.sqs)
    const sending = sendAll(cloud.sqs, queues.urls.results, ['a', 'b'.repeat(1_100_000)])
    await expect(sending).rejects.toThrow(/BatchRequestTooLong|Message must be shorter/)
  })

  it('delivers every character that SQS allows', async () => {
    await using queues = await makeQueues(cloud.sqs)
    const value = '\t\r\n é 語 😀 \ufffd'
    await send(cloud.sqs, queues.urls.results, value)
    expect((await receiveAll(cloud.sqs, queues.urls.results, signal()).next()).value).toBe(value)
  })

  it('skips what is no JSON', async () => {
    await using queues = await makeQueues(cloud.sqs)
    for (const MessageBody of ['no JSON', '{', '7']) {
      await cloud.sqs.send(new SendMessageCommand({ QueueUrl: queues.urls.results, MessageBody }))
    }
    expect((await receiveAll(cloud.sqs, queues.urls.results, signal()).next()).value).toBe(7)
  })

  it('moves a message to the dead letters after three failed tries', async () => {
    await using queues = await makeQueues(cloud.sqs, { tries: 3 })
    const { jobs, dead } = queues.urls
    await send(cloud.sqs, jobs, 'poison')
    await send(cloud.sqs, jobs, 'good')
    const seen: string[] = []
    const leave = new AbortController()
    const options = { leave: leave.signal, visibilitySeconds: 1 }
    const consuming = consume<string>(cloud.sqs, jobs, options, async (value) => {
      seen.push(value)
      if (value === 'poison') throw new Error('cannot be swallowed')
    })
    const letters = receiveAll(cloud.sqs, dead, signal())
    expect((await letters.next()).value).toBe('poison')
    leave.abort()
    await consuming
    expect(seen.filter((value) => value === 'poison')).toHaveLength(3)
    expect(seen.filter((value) => value === 'good')).toHaveLength(1)
  })

  it('keeps a message hidden while its work takes longer than the visibility timeout', async () => {
    await using queues = await makeQueues(cloud.sqs, { visibilitySeconds: 6 })
    const { jobs } = queues.urls
    await send(cloud.sqs, jobs, 'slow')
    const leave = new AbortController()
    let [deliveries, claims] = [0, 0]
    const done = Promise.withResolvers<void>()
    const counting = stack.adopt(sqsClient(cloud.places.queues), (client) => client.destroy())
    counting.middlewareStack.add(
      (next, { commandName }) =>
        async (args) => {
          if (commandName === 'ChangeMessageVisibilityCommand') claims++
          return await next(args)
        },
      { step: 'initialize' },
    )
    // If the message came back, the second consumer would get it.
    const options = { leave: leave.signal, visibilitySeconds: 6, concurrency: 2 }
    const consuming = consume<string>(counting, jobs, options, async () => {
      deliveries++
      // One claim follows another after a third of the timeout.
      await until(() => claims >= 4, { timeoutMs: 60_000 })
      done.resolve()
    })
    await done.promise
    leave.abort()
    await consuming
    expect(deliveries).toBe(1)
  })

  it('gets messages back at once from a consumer that leaves', async () => {
    await using queues = await makeQueues(cloud.sqs, { visibilitySeconds: 3600 })
    const { jobs } = queues.urls
    await send(cloud.sqs, jobs, 'held')
    const leave = new AbortController()
    const first = consume<string>(
      cloud.sqs,
      jobs,
      { leave: leave.signal, visibilitySeconds: 3600 },
      async (_, { leave }) => {
        queueMicrotask(() => stop())
        await new Promise((_, reject) => leave.addEventListener('abort', () => reject(leave.reason)))
      },
    )
    const stop = () => leave.abort(new Error('leaving'))
    await first
    const next = receiveAll(cloud.sqs, jobs, signal())
    expect((await next.next()).value).toBe('held')
  })

  it('does not take for a failure that consumers have left, however often', async () => {
    await using queues = await makeQueues(cloud.sqs, { visibilitySeconds: 3600, tries: 2 })
    const { jobs, dead } = queues.urls
    await send(cloud.sqs, jobs, 'healthy')
    const seen: number[] = []
    for (let at = 0; at < 5; at++) {
      const leave = new AbortController()
      const options = { leave: leave.signal, visibilitySeconds: 3600 }
      await consume<string>(cloud.sqs, jobs, options, async (value, { tries, leave: left }) => {
        expect(value).toBe('healthy')
        seen.push(tries)
        leave.abort(new Error('leaving'))
        left.throwIfAborted()
      })
    }
    // The tries go on counting, and the last one succeeds.
    expect(seen).toEqual([1, 2, 3, 4, 5])
    const leave = new AbortController()
    await consume<string>(cloud.sqs, jobs, { leave: leave.signal, visibilitySeconds: 3600 }, async (_, { tries }) => {
      seen.push(tries)
      leave.abort(new Error('done'))
    })
    expect(seen.at(-1)).toBe(6)
    const names = ['ApproximateNumberOfMessages', 'ApproximateNumberOfMessagesNotVisible'] as const
    for (const QueueUrl of [jobs, dead]) {
      const { Attributes } = await cloud.sqs.send(
        new GetQueueAttributesCommand({ QueueUrl, AttributeNames: [...names] }),
      )
      expect(Attributes).toEqual(Object.fromEntries(names.map((name) => [name, '0'])))
    }
  })

  it('gets a message back that is on its way to a consumer when that leaves', async () => {
    await using queues = await makeQueues(cloud.sqs, { visibilitySeconds: 3600 })
    const { jobs } = queues.urls
    await using link = await slowLink(cloud.places.queues, 200)
    if (!link) throw new Error('the queue is not on this machine')
    const far = stack.adopt(sqsClient(link.place), (client) => client.destroy())
    const leaving = new AbortController()
    const options = { leave: leaving.signal, visibilitySeconds: 3600 }
    const consuming = consume<string>(far, jobs, options, async (_, { leave }) => {
      if (!leave.aborted) await once(leave, 'abort')
      leave.throwIfAborted()
    })
    await send(cloud.sqs, jobs, 'on its way')
    // The queue has handed it out, and the answer needs 100 ms more to arrive.
    await untilHeld(cloud.sqs, jobs, 1, signal())
    leaving.abort(new Error('leaving'))
    await consuming
    const next = receiveAll(cloud.sqs, jobs, signal())
    expect((await next.next()).value).toBe('on its way')
  })

  it('is removed when every answer to its creation is lost', async () => {
    const before = await leftQueues(cloud.sqs)
    await using store = await faultyStore(cloud.places.queues, (_, body) =>
      body.includes('RedrivePolicy') ? { lose: true } : undefined,
    )
    const far = stack.adopt(sqsClient(store.place, { maxAttempts: 2 }), (client) => client.destroy())
    await expect(makeQueues(far)).rejects.toThrow(/^CreateQueue at .*ECONNRESET/)
    expect(await leftQueues(cloud.sqs)).toEqual(before)
  })

  it('is found and deleted after its program was killed', async () => {
    const queues = await makeQueues(cloud.sqs)
    const left = await leftQueues(cloud.sqs)
    expect(left).toEqual(expect.arrayContaining(Object.values(queues.urls)))
    for (const url of Object.values(queues.urls)) await deleteQueue(cloud.sqs, url)
    expect(await leftQueues(cloud.sqs)).not.toContain(queues.urls.jobs)
  })
})
