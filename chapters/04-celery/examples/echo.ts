/**
 * echo: one task goes through the queue to a worker in another process, and its result comes back
 *
 * Run it, from anywhere in the repository; it starts Redis and a worker itself:
 *
 *     pnpm --filter 04-celery start echo
 *     pnpm --filter 04-celery start echo --text "hello, worker"
 *
 * Or with a worker in another terminal, or on another machine:
 *
 *     REDIS_URL=redis://:password@host:6379 pnpm --filter 04-celery worker
 *     REDIS_URL=redis://:password@host:6379 pnpm --filter 04-celery start echo
 *
 * Look for: the states that the task passes through, and how long a round trip to the worker takes.
 */
import { until } from '@repo/common/async/until'
import { example } from '@repo/common/example/example'
import { accepting, wholeNumber } from '@repo/common/example/options'
import { median } from '@repo/common/measure'
import { milliseconds, table } from '@repo/common/output/terminal'
import { listen, type TaskEvent } from '../src/queue/events.ts'
import { startSystem } from '../src/system.ts'
import { echo } from '../src/tasks/index.ts'

export default example(import.meta, {
  options: {
    text: accepting('up to 10,000 characters', (text) => (text.length <= 10_000 ? text : undefined))
      .default('hello')
      .describe('what is sent'),
    times: wholeNumber(1, 10_000).default(500).describe('how many round trips are measured'),
  },
  quick: { times: 100 },

  async run({ text, times }, { signal, print }) {
    // Redis, a worker in a process of its own, and a client.
    await using system = await startSystem({ workers: 1, signal })
    const { client } = system
    print(`Redis ${system.redis.version} at ${system.redis.maskedUrl}; worker: ${system.workerNames.join(', ')}`, '')

    // Sending returns at once, with a handle on the result.
    const story: TaskEvent[] = []
    await using _listening = await listen(client, ['default'], (event) => story.push(event))
    // #region send-and-get
    const result = await client.send(echo, { text })
    print(`sent:      echo("${text}") as task ${result.id}`)
    const received = await result.get({ timeoutMs: 10_000, signal })
    const state = await result.state()
    print(`received:  "${received}"; the task has ${state}`, '')
    // #endregion send-and-get

    // What happened in between. Events come over another connection, which may be a moment behind.
    const own = () => story.filter(({ id }) => id === result.id)
    await until(() => own().some(({ type }) => type === 'succeeded'), { signal, what: 'the events of the task' })
    const events = own().map(({ type, at }) => ({ type, at: at.getTime() }))
    const begin = events[0]?.at ?? 0
    print(
      table(
        ['event', 'after'],
        events.map(({ type, at }) => [type, `${at - begin} ms`]),
      ),
      '',
    )

    // The time of a round trip, many times.
    const samples: number[] = []
    for (let time = 0; time < times; time++) {
      const start = performance.now()
      await (await client.send(echo, { text })).get({ timeoutMs: 10_000, signal })
      samples.push(performance.now() - start)
    }
    const roundTripMs = median(samples)
    print(`There and back, one after the other: ${milliseconds(roundTripMs)} (median of ${times}).`)
    return { id: result.id, sent: text, received, state, events, workers: system.workerNames, times, roundTripMs }
  },
  figure: ({ received, roundTripMs }) => `"${received}" there and back in ${milliseconds(roundTripMs)}`,
})
