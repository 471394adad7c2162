/**
 * cpu-bound: a job that blocks its event loop loses its lock and is run twice; three places where it does not
 *
 * Run it, from anywhere in the repository:
 *
 *     pnpm --filter 04-celery start cpu-bound
 *     pnpm --filter 04-celery start cpu-bound --lock 3000 --redeliveries 1
 *
 * The same job, counting primes for longer than a lock lasts, goes to two workers: as a plain function, in a thread, in
 * BullMQ's sandbox (a process), and as a function that lets the event loop have its turn every 20 ms.
 *
 * Look for: how often the plain function is begun, and that it fails although every run of it came to its end; and how many
 * pings a worker answers while it computes, because what cannot answer cannot be revoked or told to stop either.
 */
import { example } from '@repo/common/example/example'
import { wholeNumber } from '@repo/common/example/options'
import { progress } from '@repo/common/output/progress'
import { milliseconds, table } from '@repo/common/output/terminal'
import { startProgram } from '@repo/common/process/child'
import { AsyncDisposableStack } from '@whatwg-node/disposablestack'
import { belowFor } from '../src/cpu-bound/primes.ts'
import { inAThread, inSlices, onTheEventLoop, sandboxed } from '../src/cpu-bound/tasks.ts'
import { ping } from '../src/queue/control.ts'
import { listen, type TaskEvent } from '../src/queue/events.ts'
import { startSystem } from '../src/system.ts'

const workers = 2
/** How much longer the job takes than a lock lasts. */
const locks = 3
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
    await using stack = new AsyncDisposableStack()
    const system = stack.use(await startSystem({ workers: 0, signal, alone: true }))
    const { client, redis } = system
    await Promise.all(
      Array.from({ length: workers }, async (_, at) => {
        const args = [client.prefix, `worker ${at + 1}`, String(lock), String(redeliveries)]
        const options = { args, env: { REDIS_URL: redis.url }, signal }
        stack.use(await startProgram(new URL('../src/cpu-bound/worker.program.ts', import.meta.url), options))
      }),
    )
    // A small count again and again: a large one would take another time when the machine has more or less to do.
    const below = belowFor(lock / 5)
    const leastMs = locks * lock
    print(
      `Counting the primes below ${below} again and again, for ${milliseconds(leastMs)}; a lock lasts ${milliseconds(lock)} …`,
    )
    using bar = progress('computing')

    let onEvent: (event: TaskEvent) => void = () => {}
    const queues = [onTheEventLoop, sandboxed].flatMap(({ queue }) => queue ?? [])
    stack.use(await listen(client, queues, (event) => onEvent(event)))

    const ways = []
    for (const task of [onTheEventLoop, inAThread, sandboxed, inSlices]) {
      signal.throwIfAborted()
      const name = task.name.replace('primes.', '').replaceAll('-', ' ')
      bar.update(0, name)
      print('', `${name}:`)
      const begin = Date.now()
      const ended = Promise.withResolvers<TaskEvent>()
      let runs = 0
      onEvent = (event) => {
        const at = milliseconds(Math.max(0, event.at.getTime() - begin)).padStart(9)
        if (event.type === 'started') runs++
        if (event.type === 'started')
          print(`${at}  begun${runs > 1 ? ', for the '.concat(ordinal(runs), ' time') : ''}`)
        if (event.type === 'lost') print(`${at}  its lock has run out: taken from its worker, waits for another`)
        if (event.type === 'failed') print(`${at}  failed: ${event.message}`)
        if (event.type === 'succeeded') print(`${at}  done: ${event.result} primes`)
        if (event.type === 'failed' || event.type === 'succeeded') ended.resolve(event)
      }
      await client.send(task, { below, leastMs })
      let end: TaskEvent | undefined
      void ended.promise.then((event) => {
        end = event
      })
      let pings = 0
      let answers = 0
      while (!end) {
        pings += workers
        answers += (await ping(client, { timeoutMs: pingTimeoutMs })).length
        await Promise.race([ended.promise, new Promise((resolve) => setTimeout(resolve, pingTimeoutMs))])
        signal.throwIfAborted()
      }
      // A run that lost its lock still goes on, and would disturb the next one.
      while ((await ping(client, { timeoutMs: pingTimeoutMs })).length < workers) signal.throwIfAborted()
      ways.push({
        name,
        runs,
        completed: end.type === 'succeeded',
        ms: end.at.getTime() - begin,
        pings,
        answers,
        ...(end.type === 'succeeded' && { primes: end.result }),
        ...(end.type === 'failed' && { error: end.message }),
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

const ordinal = (number: number) => ({ 1: '1st', 2: '2nd', 3: '3rd' })[number] ?? `${number}th`
