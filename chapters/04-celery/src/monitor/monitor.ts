/** What queues and workers are doing: who works, what waits, how many tasks end per second, how long they take. */
import { quantile } from '@repo/common/measure'
import { bytes, count, milliseconds, table } from '@repo/common/output/terminal'
import type { Client } from '../queue/client.ts'
import { type AskOptions, stats, type WorkerStats } from '../queue/control.ts'
import { listen, type TaskEvent } from '../queue/events.ts'

/** A queue at one moment. */
export interface QueueView {
  queue: string
  waiting: number
  running: number
  /** Waiting for their time, by countdown or retry. */
  scheduled: number
  /** Failed for good. */
  failed: number
  /** Tasks that ended in the last seconds, per second; failed ones are included. */
  donePerSecond: number
  failedPerSecond: number
  /** How long these tasks waited and ran: median and 95th percentile. NaN when there were none. */
  waitMs: { p50: number; p95: number }
  runMs: { p50: number; p95: number }
}

export interface View {
  workers: (WorkerStats & { worker: string })[]
  queues: QueueView[]
}

interface Ended {
  at: number
  ok: boolean
  waitMs: number
  runMs: number
}

/** A task that has not ended. Times are by Redis's clock. */
interface Open {
  sentAt: number
  startedAt: number
}

/** Tasks whose times are remembered; beyond that, the oldest are not measured. */
const mostOpen = 100_000

/** Starts to watch some queues. Rates and times are those of the last `windowMs`. */
export async function watch(
  client: Client,
  queues: readonly string[],
  { windowMs = 10_000 }: { windowMs?: number } = {},
): Promise<Watch> {
  const watching = new Watch(client, queues, windowMs)
  await watching.start()
  return watching
}

export class Watch implements AsyncDisposable {
  readonly #client: Client
  readonly #windowMs: number
  readonly #startedAt = performance.now()
  readonly #ended: Map<string, Ended[]>
  readonly #open = new Map<string, Open>()
  #listening: AsyncDisposable | undefined

  /** For `watch`. */
  constructor(client: Client, queues: readonly string[], windowMs: number) {
    this.#client = client
    this.#windowMs = windowMs
    this.#ended = new Map(queues.map((queue) => [queue, []]))
  }

  async start(): Promise<void> {
    this.#listening = await listen(this.#client, [...this.#ended.keys()], (event) => this.#note(event))
  }

  // #region note
  #note(event: TaskEvent) {
    const { id, queue, type } = event
    const now = event.at.getTime()
    if (type === 'sent' || type === 'lost') this.#opened(id, { sentAt: now, startedAt: now })
    // Its wait for a worker begins when it is due.
    if (type === 'scheduled') this.#opened(id, { sentAt: event.until.getTime(), startedAt: now })
    if (type === 'started') this.#opened(id, { sentAt: this.#open.get(id)?.sentAt ?? now, startedAt: now })
    if (type !== 'succeeded' && type !== 'failed') return
    const { sentAt = now, startedAt = now } = this.#open.get(id) ?? {}
    this.#open.delete(id)
    this.#ended.get(queue)?.push({
      at: performance.now(),
      ok: type === 'succeeded',
      // Never negative: the time for which a task was scheduled is by its sender's clock.
      waitMs: Math.max(0, startedAt - sentAt),
      runMs: now - startedAt,
    })
  }
  // #endregion note

  #opened(id: string, task: Open) {
    this.#open.set(id, task)
    const [oldest] = this.#open.keys()
    if (this.#open.size > mostOpen && oldest !== undefined) this.#open.delete(oldest)
  }

  /** Asks Redis and the workers; a worker that does not answer in time is left out. */
  async now(options?: AskOptions): Promise<View> {
    const [workers, queues] = await Promise.all([
      stats(this.#client, options),
      Promise.all([...this.#ended.keys()].map((queue) => this.#queue(queue))),
    ])
    return { workers: workers.sort((a, b) => a.worker.localeCompare(b.worker)), queues }
  }

  async #queue(queue: string): Promise<QueueView> {
    const counts = await this.#client
      .queue(queue)
      .getJobCounts('waiting', 'prioritized', 'waiting-children', 'active', 'delayed', 'failed')
    const count = (...states: string[]) => states.reduce((sum, state) => sum + (counts[state] ?? 0), 0)
    const since = performance.now() - this.#windowMs
    const ended = (this.#ended.get(queue) ?? []).filter(({ at }) => at >= since)
    this.#ended.set(queue, ended)
    const seconds = Math.min(this.#windowMs, performance.now() - this.#startedAt) / 1000
    const quantiles = (values: number[]) => ({ p50: quantile(values, 0.5), p95: quantile(values, 0.95) })
    return {
      queue,
      waiting: count('waiting', 'prioritized', 'waiting-children'),
      running: count('active'),
      scheduled: count('delayed'),
      failed: count('failed'),
      donePerSecond: ended.length / seconds,
      failedPerSecond: ended.filter(({ ok }) => !ok).length / seconds,
      waitMs: quantiles(ended.map(({ waitMs }) => waitMs)),
      runMs: quantiles(ended.map(({ runMs }) => runMs)),
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#listening?.[Symbol.asyncDispose]()
  }
}

/** A view as two tables: one of the workers, one of the queues. */
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
