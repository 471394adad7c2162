/**
 * routing: tasks find their queues by name, queues their workers, and priorities order a queue that keeps them
 *
 * Run it, from anywhere in the repository:
 *
 *     pnpm --filter 04-celery start routing
 *
 * It starts two workers, as one would on two machines:
 *
 *     pnpm --filter 04-celery worker --queues mail
 *     pnpm --filter 04-celery worker --queues default,images
 *
 * Look for: who ran what; then the order in which the tasks of a queue with priorities were run, those without one in the middle.
 * BullMQ by itself would run those without one first.
 */
import { setTimeout as delay } from 'node:timers/promises'
import { example } from '@repo/common/example/example'
import { table } from '@repo/common/output/terminal'
import { listen } from '../src/queue/events.ts'
import { gather } from '../src/queue/results.ts'
import { signature } from '../src/queue/task.ts'
import { startSystem } from '../src/system.ts'
import { routes } from '../src/tasks/index.ts'
import { mailDigest, report, resizeImage, sendMail } from '../src/tasks/tour.ts'

export default example(import.meta, {
  options: {},

  async run(_, { signal, print }) {
    // Its own workers, for others may listen to all queues.
    await using system = await startSystem({ workers: 0, alone: true, signal })
    const { client } = system
    await Promise.all([
      system.startWorker(['--queues', 'mail', '--name', 'mail-worker']),
      system.startWorker(['--queues', 'default,images', '--name', 'other-worker']),
    ])
    print(
      'Routes:',
      table(
        ['tasks', 'go to'],
        [...Object.entries(routes), ['all others', 'default']].map(([task = '', queue = '']) => [task, queue]),
      ),
      '',
    )
    const sent = [sendMail, mailDigest, resizeImage, report]
    const places = await gather(await client.sendAll(sent.map((task) => signature(task, {}))), {
      timeoutMs: 10_000,
      signal,
    })
    const routed = places.map(({ queue, worker }, at) => ({ task: sent[at]?.name ?? '', queue, worker }))
    print(
      table(
        ['task', 'queue', 'was run by'],
        routed.map(({ task, queue, worker }) => [task, queue, worker]),
      ),
      '',
    )

    // Sent before anybody listens to the queue, so that the order is only the queue's.
    const priorities = [undefined, 9, 1, undefined, 4, 1]
    const urgent = await client.sendAll(
      priorities.map((priority, n) =>
        signature(report, { n }, { queue: 'urgent', ...(priority !== undefined && { priority }) }),
      ),
    )
    // The queue's own record of what was begun; a worker with one place, so that one follows the other.
    const begun: string[] = []
    await using _listening = await listen(client, ['urgent'], ({ type, id }) => {
      if (type === 'started') begun.push(id)
    })
    await system.startWorker(['--queues', 'urgent', '--concurrency', '1'])
    await gather(urgent, { timeoutMs: 10_000, signal })
    while (begun.length < urgent.length) await delay(10, undefined, { signal })
    const order = begun.map((id) => {
      const at = urgent.findIndex((result) => result.id === id)
      return { sent: at + 1, priority: priorities[at] ?? null }
    })
    print(
      'The queue "urgent" keeps priorities; in the order in which its tasks were run:',
      table(
        ['sent as number', 'priority'],
        order.map(({ sent, priority }) => [sent, priority ?? 'none']),
      ),
    )
    return { routed, order }
  },
  figure: ({ routed, order }) =>
    `${routed.length} tasks to ${new Set(routed.map(({ queue }) => queue)).size} queues; priorities in the order ${order.map(({ priority }) => priority ?? '–').join(' ')}`,
})
