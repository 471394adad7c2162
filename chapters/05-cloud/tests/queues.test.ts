import { until } from '@repo/common/async/until'
import { AsyncDisposableStack } from '@whatwg-node/disposablestack'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { sqsClient } from '../src/cloud/clients.ts'
import { consume, deleteQueue, leftQueues, makeQueues, receiveAll, send, sendAll } from '../src/queues.ts'
import { type OpenCloud, openCloud } from '../src/session/open.ts'

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
    const received: { at: number }[] = []
    for await (const value of receiveAll<{ at: number }>(cloud.sqs, queues.urls.results, signal())) {
      if (received.push(value) === values.length) break
    }
    expect(received.sort((a, b) => a.at - b.at)).toEqual(values)
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
    const letters = receiveAll<string>(cloud.sqs, dead, signal())
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
    const next = receiveAll<string>(cloud.sqs, jobs, signal())
    expect((await next.next()).value).toBe('held')
  })

  it('is found and deleted after its program was killed', async () => {
    const queues = await makeQueues(cloud.sqs)
    const left = await leftQueues(cloud.sqs)
    expect(left).toEqual(expect.arrayContaining(Object.values(queues.urls)))
    for (const url of Object.values(queues.urls)) await deleteQueue(cloud.sqs, url)
    expect(await leftQueues(cloud.sqs)).not.toContain(queues.urls.jobs)
  })
})
