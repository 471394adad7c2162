/** A view of the system as two tables: of the workers, and of the queues. */
import { bytes, count, milliseconds, table } from '@repo/common/output/terminal'
import type { View } from './monitor.ts'

export function tablesOf({ workers, queues }: View): string {
  const pair = ({ p50, p95 }: { p50: number; p95: number }) =>
    Number.isNaN(p50) ? '' : `${milliseconds(p50)}, ${milliseconds(p95)}`
  return [
    table(
      ['worker', 'queues', 'running', 'places', 'succeeded', 'failed', 'memory'],
      workers.map(({ worker, queues, running, concurrency, succeeded, failed, rss }) => [
        worker,
        queues.join(', '),
        running,
        concurrency,
        count(succeeded),
        count(failed),
        bytes(rss),
      ]),
    ),
    '',
    table(
      ['queue', 'wait', 'run', 'later', 'failed', 'done/s', 'failed/s', 'waited p50, p95', 'ran p50, p95'],
      queues.map((view) => [
        view.queue,
        view.waiting,
        view.running,
        view.scheduled,
        view.failed,
        view.donePerSecond.toFixed(1),
        view.failedPerSecond.toFixed(1),
        pair(view.waitMs),
        pair(view.runMs),
      ]),
    ),
  ].join('\n')
}
