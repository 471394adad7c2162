/**
 * cpu-bound: a job that blocks its event loop loses its lock and is run twice; three places where it does not
 *
 *     pnpm --filter 04-celery start cpu-bound
 *     pnpm --filter 04-celery start cpu-bound --lock 3000 --redeliveries 1
 *
 * The same job counts primes for longer than a lock lasts, on one of two workers: as a plain function, in a thread, in
 * BullMQ's sandbox (a process), and as a function that gives the event loop its turn every 20 ms.
 *
 * Look for: how often the plain function is begun, and that it fails although every run came to its end; and how many
 * pings a worker answers while it computes, because what cannot answer cannot be revoked or told to stop either.
 */
import { setTimeout as delay } from 'node:timers/promises'
import { example } from '@repo/common/example/example'
import { wholeNumber } from '@repo/common/example/options'
import { progress } from '@repo/common/output/progress'
import { milliseconds, table } from '@repo/common/output/terminal'
import { startProgram } from '@repo/common/process/child'
import { startAll } from '@repo/common/process/start-all'
import { AsyncDisposableStack } from '@whatwg-node/disposablestack'
import { inAThread, inSlices, onTheEventLoop, sandboxed } from '../src/cpu-bound/tasks.ts'
import { ping } from '../src/queue/control.ts'
import { listen, type TaskEvent } from '../src/queue/events.ts'
import { startSystem } from '../src/system.ts'

const workerCount = 2
/** How many times longer the job takes than a lock lasts. */
const locks = 3
const below = 200_000
const pingTimeoutMs = 200

export default example(import.meta, {
  options: {
    lock: wholeNumber(500, 60_000)
      .default(1_000)
      .describe('ms for which a worker without a sign of life keeps its job'),
    redeliveries: wholeNumber(0, 20).default(2).describe('how often a job may lose its worker before it fails'),
  },
  quick: { lock: 750, redeliveries: 1 },

  async run({ lock, redeliveries }, { signal, print }) {
    // Two workers, each with one place, and the events of their queues.
    await using stack = new AsyncDisposableStack()
    const { client, redis } = stack.use(await startSystem({ workers: 0, signal, alone: true }))
    const starting = Array.from({ length: workerCount }, (_, at) =>
      startProgram(new URL('../src/cpu-bound/worker.program.ts', import.meta.url), {
        args: [client.prefix, `worker ${at + 1}`, String(lock), String(redeliveries)],
        env: { REDIS_URL: redis.url },
        signal,
      }),
    )
    await startAll(stack, starting)
    let onEvent: (event: TaskEvent) => void = () => {}
    const queues = [onTheEventLoop, sandboxed].flatMap(({ queue }) => queue ?? [])
    stack.use(await listen(client, queues, (event) => onEvent(event)))

    const leastMs = locks * lock
    print(
      `Counting the primes below ${below} again and again, for ${milliseconds(leastMs)}; a lock lasts ${milliseconds(lock)} …`,
    )
    using bar = progress('computing')
    const answers = async () => (await ping(client, { timeoutMs: pingTimeoutMs })).length

    const ways = []
    for (const task of [onTheEventLoop, inAThread, sandboxed, inSlices]) {
      const name = task.name.replace('primes.', '').replaceAll('-', ' ')
      bar.update(0, name)
      print('', `${name}:`)

      // Tell what happens to the job, until it is done or has failed.
      const begin = Date.now()
      let runs = 0
      let end: TaskEvent | undefined
      onEvent = (event) => {
        if (event.type === 'started') runs++
        if (event.type === 'succeeded' || event.type === 'failed') end = event
        const what = describe(event, runs)
        if (what) print(`${milliseconds(Math.max(0, event.at.getTime() - begin)).padStart(9)}  ${what}`)
      }
      await client.send(task, { below, leastMs })

      // Meanwhile ask all workers whether they are there.
      const pings = { sent: 0, answered: 0 }
      while (!end) {
        pings.sent += workerCount
        pings.answered += await answers()
        await delay(pingTimeoutMs, undefined, { signal })
      }
      // A run that has lost its lock still goes on, and would disturb the next one.
      while ((await answers()) < workerCount) signal.throwIfAborted()
      const { type, at, ...outcome } = end as TaskEvent
      ways.push({
        name,
        runs,
        completed: type === 'succeeded',
        ms: at.getTime() - begin,
        pings: pings.sent,
        answers: pings.answered,
        ...('result' in outcome && { primes: outcome.result }),
        ...('message' in outcome && { error: outcome.message }),
      })
    }
    print(
      '',
      table(
        ['where', 'runs', 'result', 'time', 'pings answered'],
        ways.map(({ name, runs, completed, ms, pings, answers }) => [
          name,
          runs,
          completed ? 'done' : 'failed',
          milliseconds(ms),
          `${answers} of ${pings}`,
        ]),
      ),
    )
    return { below, lockMs: lock, ways }
  },
  figure: ({ ways: [blocking, ...cured] }) =>
    `blocking: begun ${blocking?.runs} times, ${blocking?.completed ? 'done' : 'never done'}; elsewhere: ${cured.map(({ runs }) => runs).join(', ')}`,
})

function describe(event: TaskEvent, runs: number): string | undefined {
  if (event.type === 'started') return runs === 1 ? 'begun' : `begun, run ${runs}`
  if (event.type === 'lost') return 'its lock has run out: taken from its worker, waits for another'
  if (event.type === 'failed') return `failed: ${event.message}`
  return event.type === 'succeeded' ? `done: ${event.result} primes` : undefined
}
