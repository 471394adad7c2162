/**
 * routing: tasks reach their queues by name, workers choose their queues, and priorities order a queue that keeps them
 *
 *     pnpm --filter 04-celery start routing
 *
 * It starts two workers, as you would on two machines:
 *
 *     pnpm --filter 04-celery worker --queues mail
 *     pnpm --filter 04-celery worker --queues default,images
 *
 * Look for: which worker ran which task; then the order in which a queue with priorities runs its tasks, those without
 * one in the middle. BullMQ alone would run those without one first.
 */
import { until } from '@repo/common/async/until'
import { example } from '@repo/common/example/example'
import { howMany, table } from '@repo/common/output/terminal'
import { listen } from '../src/queue/events.ts'
import { gather } from '../src/queue/results.ts'
import { signature } from '../src/queue/task.ts'
import { startSystem } from '../src/system.ts'
import { routes } from '../src/tasks/index.ts'
import { mailDigest, report, resizeImage, sendMail } from '../src/tasks/tour.ts'

export default example(import.meta, {
  options: {},

  async run(_, { signal, print }) {
    // With its own workers: running ones might listen to all queues.
    await using system = await startSystem({ workers: 0, alone: true, signal })
    const { client } = system
    await Promise.all([
      system.startWorker(['--queues', 'mail', '--name', 'mail-worker']),
      system.startWorker(['--queues', 'default,images', '--name', 'other-worker']),
    ])
    print('Routes:', table(['tasks', 'go to'], [...Object.entries(routes), ['all others', 'default']]), '')

    // The client was opened with these routes: it chooses the queue by the task's name.
    const sent = [sendMail, mailDigest, resizeImage, report]
    const results = await client.sendAll(sent.map((task) => signature(task, {})))
    const places = await gather(results, { timeoutMs: 10_000, signal })
    const routed = places.map(({ queue, worker }, at) => ({ task: sent[at]?.name ?? '', queue, worker }))
    print(
      table(
        ['task', 'queue', 'was run by'],
        routed.map(({ task, queue, worker }) => [task, queue, worker]),
      ),
      '',
    )

    // Sent to a queue without a worker, so that only the queue decides the order.
    const priorities = [undefined, 9, 1, undefined, 4, 1]
    const urgent = await client.sendAll(
      priorities.map((priority, n) =>
        signature(report, { n }, { queue: 'urgent', ...(priority !== undefined && { priority }) }),
      ),
    )
    // Then a worker with one place runs them one after the other.
    const begun: string[] = []
    await using _listening = await listen(client, ['urgent'], ({ type, id }) => {
      if (type === 'started') begun.push(id)
    })
    await system.startWorker(['--queues', 'urgent', '--concurrency', '1'])
    await gather(urgent, { timeoutMs: 10_000, signal })
    await until(() => begun.length === urgent.length, { signal, what: 'the events of all tasks' })
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
    `${howMany(routed.length, 'task')} to ${new Set(routed.map(({ queue }) => queue)).size} queues; priorities in the order ${order.map(({ priority }) => priority ?? '–').join(' ')}`,
})
