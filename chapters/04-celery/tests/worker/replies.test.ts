/** What workers publish to senders: all that ends in one turn in one message, no more than a sender needs, each once. */
import { until } from '@repo/common/async/until'
import type { Job } from 'bullmq'
import { expect, it } from 'vitest'
import { z } from 'zod'
import type { Message } from '../../src/queue/message.ts'
import { defineTask } from '../../src/queue/task.ts'
import { Replies } from '../../src/worker/replies.ts'
import { describeRedis, useLayer } from '../fixtures/layer.ts'

const layer = useLayer()

/** A client, and what is published to any: the messages, each with the client's name. */
async function listening() {
  const client = await layer.openClient()
  const subscriber = client.redis.duplicate()
  layer.use({ [Symbol.dispose]: () => subscriber.disconnect() })
  const heard: [client: string | undefined, replies: unknown][] = []
  subscriber.on('pmessage', (_, channel: string, text: string) => {
    heard.push([channel.split(':').at(-1), JSON.parse(text)])
  })
  await subscriber.psubscribe(`${layer.prefix}:reply:*`)
  return { client, heard, replies: new Replies(client.redis, layer.prefix) }
}

const job = (id: string, opts = {}) => ({ id, opts }) as Job<Message>
const nextTurn = () => new Promise(setImmediate)

describeRedis('replies', () => {
  it('of one turn come to each sender in one message, once', async () => {
    const { heard, replies } = await listening()
    replies.succeeded(job('q.a.1'), 1)
    replies.failed(job('q.b.1'), new RangeError('no'))
    replies.succeeded(job('q.a.2'), 2)
    await nextTurn()
    replies.succeeded(job('q.a.3'), 3)
    await until(() => heard.length === 3)
    const stack = expect.stringContaining('replies.test.ts')
    const first = [
      ['q.a.1', 'ok', 1],
      ['q.a.2', 'ok', 2],
    ]
    expect(heard).toEqual([
      ['a', first],
      ['b', [['q.b.1', 'error', 'RangeError', 'no', stack]]],
      ['a', [['q.a.3', 'ok', 3]]],
    ])
  })

  it('are only hints where results are long, and are left out where nobody wants them', async () => {
    const { heard, replies } = await listening()
    replies.succeeded(job('q.a.1', { removeOnComplete: true }), 1)
    replies.succeeded(job('of a schedule'), 1)
    const results = ['x'.repeat(8_193), { text: 'x'.repeat(8_193) }, 'x'.repeat(8_000)]
    for (const [at, result] of results.entries()) replies.succeeded(job(`q.b.${at}`), result)
    await until(() => heard.length > 0)
    expect(heard).toEqual([
      [
        'b',
        [
          ['q.b.0', 'look'],
          ['q.b.1', 'look'],
          ['q.b.2', 'ok', results[2]],
        ],
      ],
    ])
  })

  it('that cannot be published end nobody’s process: the sender looks', async () => {
    const { client, replies } = await listening()
    client.redis.disconnect()
    // An unhandled rejection would fail the run of the tests.
    replies.succeeded(job('q.a.1'), 1)
    await nextTurn()
    await nextTurn()
    await expect(client.redis.ping()).rejects.toThrow('Connection is closed')
  })

  it('say how each task of a worker has ended', async () => {
    const { client, heard } = await listening()
    const half = defineTask({
      name: 'half',
      args: z.object({ n: z.number() }),
      run: ({ n }) => {
        if (n % 2 === 1) throw new RangeError(`${n} is odd`)
        return n / 2
      },
    })
    await layer.startWorker({ tasks: [half] })
    const [even, odd] = await client.sendMany(half, [{ n: 2 }, { n: 3 }])
    await until(() => heard.flatMap(([, replies]) => replies).length === 2)
    expect(heard.flatMap(([, replies]) => replies)).toEqual(
      expect.arrayContaining([
        [even?.id, 'ok', 1],
        [odd?.id, 'error', 'RangeError', '3 is odd', expect.any(String)],
      ]),
    )
  })
})
