/**
 * celery-interop: TypeScript calls tasks of a real Celery worker, and a real Celery client calls tasks served in TypeScript
 *
 *     pnpm --filter 04-celery start celery-interop
 *
 * It needs Celery for Python: npm run peers installs the one of today; Debian and Ubuntu have an older one (sudo apt-get
 * install python3-celery python3-redis). PEERS_PYTHON names another Python to take it from. It starts a Redis, a Celery worker with the tasks of
 * src/celery/celery_tasks.py, a worker in TypeScript, and the Celery client src/celery/celery_client.py.
 *
 * Look for: the states that Celery's result store reports while a task is retried; Python's exceptions here, and ours
 * in Python, where a TypeError is Python's own TypeError; and the chain, in which each step sends the next one.
 */
import { example } from '@repo/common/example/example'
import { progress } from '@repo/common/output/progress'
import { milliseconds, table } from '@repo/common/output/terminal'
import { startRedis } from '@repo/common/servers/redis'
import { AsyncDisposableStack } from '@whatwg-node/disposablestack'
import { CeleryError, connectCelery } from '../src/celery/client.ts'
import { callFromPython, startCeleryWorker, startTypeScriptWorker } from '../src/celery/programs.ts'
import type { Call } from '../src/celery/protocol.ts'
import { findPython, installPython } from '../src/celery/python.ts'
import { clearCelery } from '../src/celery/worker.ts'

const calls: Omit<Call, 'queue'>[] = [
  { task: 'add', args: [2, 3] },
  { task: 'count_words', args: ['to be or not to be'], kwargs: { at_least: 2 } },
  { task: 'divide', args: [1, 0] },
  { task: 'add', args: [2] },
  { task: 'flaky', args: [2] },
  { task: 'report', args: [3] },
  { task: 'os.system', args: ['true'] },
]

export default example(import.meta, {
  options: {},

  async run(_, { signal, print }) {
    const python = await findPython('celery', signal)
    if (!python) throw new Error(`no Python here has Celery; install it with ${installPython.celery}`)
    await using stack = new AsyncDisposableStack()
    const redis = stack.use(await startRedis())
    const [pythonQueue, ourQueue] = [`python-${process.pid}`, `typescript-${process.pid}`]
    for (const queue of [pythonQueue, ourQueue]) stack.defer(() => clearCelery(redis.url, queue))
    print(`Celery ${python.version} at ${redis.maskedUrl} …`)

    // A Celery worker in Python serves, and our client calls.
    using bar = progress('starting a Celery worker in Python')
    const worker = stack.use(await startCeleryWorker(python, { url: redis.url, queue: pythonQueue, signal }))
    const client = stack.use(await connectCelery(redis.url))
    const toPython = []
    for (const call of calls) {
      bar.update(0, `calling ${call.task} in Python`)
      const begin = performance.now()
      const sent = await client.send({ ...call, queue: pythonQueue })
      // Without its worker no result would come.
      const outcome = await sent.get({ signal: AbortSignal.any([signal, worker.lost]) }).then(
        (result) => ({ result, error: undefined, traceback: undefined }),
        (error) => {
          if (!(error instanceof CeleryError)) throw error
          return { result: undefined, error: { type: error.type, message: error.message }, traceback: error.traceback }
        },
      )
      const states = sent.states.map(({ status }) => status)
      toPython.push({ task: call.task, args: call.args, ...outcome, states, ms: performance.now() - begin })
      await sent.forget()
    }
    print(
      '',
      table(
        ['TypeScript calls Python', 'states in the result store', 'result or error', 'time'],
        toPython.map(({ task, args, result, error, states, ms }) => [
          `${task}(${args?.map((arg) => JSON.stringify(arg)).join(', ')})`,
          states.join(' → '),
          error ? error.message.replace(/^.*? failed: /, '') : JSON.stringify(result),
          milliseconds(ms),
        ]),
      ),
      '',
      'The traceback of the division, from the Python worker:',
      ...(toPython[2]?.traceback ?? '').trim().split('\n').slice(-3),
    )

    // Our worker serves, and a Celery client in Python calls.
    bar.update(0, 'running the Celery client in Python')
    stack.use(await startTypeScriptWorker({ url: redis.url, queue: ourQueue, signal }))
    const fromPython = await callFromPython(python, { url: redis.url, queue: ourQueue, signal })
    print(
      '',
      table(
        ['Python calls TypeScript', 'state', 'result or error'],
        fromPython.map(({ call, state, result, error, message }) => [
          call,
          state,
          error ? `${error}: ${message}` : JSON.stringify(result),
        ]),
      ),
    )
    return { celery: python.version, toPython, fromPython }
  },
  figure: ({ celery, toPython, fromPython }) =>
    `${toPython.length} calls to Celery ${celery} and ${fromPython.length} from it`,
})
