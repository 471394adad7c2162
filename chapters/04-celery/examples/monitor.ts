/**
 * monitor: what the workers do, live in the terminal; and in the browser, Bull Board, which retries failed tasks
 *
 * Run it, from anywhere in the repository, and open the address that it prints:
 *
 *     pnpm --filter 04-celery start monitor
 *     pnpm --filter 04-celery start monitor --port 3000 --load 200 --seconds 60
 *
 * It starts Redis, two workers and a small load. To watch a system that is already running, without a load:
 *
 *     REDIS_URL=redis://:secret@127.0.0.1:6379 pnpm --filter 04-celery start monitor
 *
 * Look for: tasks that wait, and for how long, which shows when you need more workers; and in the browser, under
 * Failed, the tasks that stumbled: press Retry and they succeed. Ctrl-C ends it.
 */
import { setInterval } from 'node:timers/promises'
import { example } from '@repo/common/example/example'
import { wholeNumber } from '@repo/common/example/options'
import { UsageError } from '@repo/common/example/usage'
import { progress } from '@repo/common/output/progress'
import { count, milliseconds } from '@repo/common/output/terminal'
import { openBoard } from '../src/monitor/board.ts'
import { tablesOf, type View, watch } from '../src/monitor/monitor.ts'
import { stats } from '../src/queue/control.ts'
import { defaultQueue } from '../src/queue/settings.ts'
import { startSystem } from '../src/system.ts'
import { nap, stumble } from '../src/tasks/tour.ts'

const sendEveryMs = 100
const showEveryMs = 1_000
/** One task in 25 fails. */
const failing = 25

export default example(import.meta, {
  options: {
    port: wholeNumber(0, 65_535).default(0).describe('port of the board on 127.0.0.1; 0 picks a free one'),
    seconds: wholeNumber(1, 1_000_000).optional().describe('how long it runs; until Ctrl-C if not given'),
    load: wholeNumber(0, 2_000)
      .optional()
      .describe('tasks sent per second; 50, or none if workers are already running'),
  },
  quick: { seconds: 4 },

  async run({ port, seconds, load: wanted }, { signal, print }) {
    await using system = await startSystem({ workers: 2, args: ['--concurrency', '8'], signal })
    const { client } = system
    const load = wanted ?? (system.workers.length > 0 ? 50 : 0)

    // The workers themselves say which queues there are.
    const known = await stats(client)
    const queues = [...new Set([defaultQueue, ...known.flatMap((worker) => worker.queues)])]

    // Counts come from Redis and the workers; rates and times come from the events of the queues.
    await using watching = await watch(client, queues)
    await using board = await openBoard(client, queues, { port }).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'EADDRINUSE' && error.code !== 'EACCES') throw error
      throw new UsageError('--port', port, `a port that is free and that you may use (${error.code}), or 0`)
    })
    print(`Bull Board: ${board.url}`, `Redis: ${system.redis.maskedUrl}, queues: ${queues.join(', ')}`)

    // Sends the load, and shows a view every second, until the time is up or the user ends it.
    const begin = performance.now()
    let sent = 0
    let view = await watching.now()
    let shownAt = 0
    const end = seconds === undefined ? signal : AbortSignal.any([signal, AbortSignal.timeout(seconds * 1_000)])
    try {
      using bar = progress('watching')
      for await (const _ of setInterval(sendEveryMs, undefined, { signal: end })) {
        const nowMs = performance.now() - begin
        const due = Math.floor((load * nowMs) / 1_000)
        await client.sendMany(nap, naps(sent, due))
        for (; sent < due; sent++) if (sent % failing === 0) await client.send(stumble, { over: `task ${sent}` })
        if (nowMs - shownAt < showEveryMs) continue
        shownAt = nowMs
        view = await watching.now()
        bar.update(0, linesOf(view), `\n${tablesOf(view)}`)
      }
    } catch (error) {
      if (!end.aborted) throw error
    }
    // Ctrl-C is the usual end here; then there is no time for a last look.
    if (!signal.aborted) view = await watching.now({ timeoutMs: 15_000 })
    print('', tablesOf(view))
    return { url: board.url, seconds: (performance.now() - begin) / 1_000, sent, ...view }
  },
  figure: ({ workers, queues }) =>
    `${workers.length} workers, ${count(queues.reduce((sum, { donePerSecond }) => sum + donePerSecond, 0))} tasks a second`,
})

/** Tasks of 10 to 100 ms. */
const naps = (from: number, to: number) =>
  Array.from({ length: Math.max(0, to - from) }, (_, at) => ({ ms: 10 + (((from + at) * 37) % 91) }))

/** A view as a line for each queue, for places where no terminal shows the tables. */
const linesOf = ({ queues }: View) =>
  queues
    .map(({ queue, waiting, donePerSecond, failed, waitMs }) => {
      const times = Number.isNaN(waitMs.p95) ? '' : `, p95 of the waits ${milliseconds(waitMs.p95)}`
      return `${queue}: ${waiting} wait, ${donePerSecond.toFixed(0)} done/s${times}, ${failed} failed`
    })
    .join('\n')
