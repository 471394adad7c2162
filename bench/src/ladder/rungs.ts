/**
 * The rungs of the ladder: ways to have the same small task done, from a call to a batch job. Each does `count` tasks and
 * resolves when all results are here and right: one after the other (`alone`), or handed in together (`together`).
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { posix } from 'node:path'
import { Worker } from 'node:worker_threads'
import { loader, startProgram } from '@repo/common/process/child'
import { startRedis } from '@repo/common/servers/redis'
import { AsyncDisposableStack } from '@whatwg-node/disposablestack'
import { Ring, ringMemory } from '03-parallel/ring/ring'
import type { Exchange } from '04-celery/remote/exchange'
import { newSecret, startWorker } from '04-celery/remote/processes'
import { connect } from '04-celery/remote/remote'
import { askUntil } from '06-hpc/cluster/ask-until'
import { openCluster } from '06-hpc/cluster/cluster'
import { findRealCluster, startRealCluster } from '06-hpc/real/cluster'
import { hasEnded, type JobStatus, jobFiles } from '06-hpc/scheduler/job'
import { connect as connectBySsh } from '06-hpc/ssh/connection'
import { openLoginNode } from '06-hpc/ways/login-node'
import { Piscina } from 'piscina'
import { engines } from '../engines/engines.ts'
import { openEngine } from '../engines/open-engine.ts'
import { add, type Task } from './add.ts'

type Do = (count: number) => unknown

export interface Running {
  version?: string
  durability?: string
  /** One task after the other. */
  alone: Do
  /** Many tasks, as they are handed in where nobody waits for a single one. */
  together: Do
}

export interface Rung {
  label: string
  /** How many tasks are handed in together. */
  many: number
  /** It does not leave the thread, so it is never faster than a call. */
  isOnThread?: true
  /** What it starts belongs to the stack. */
  start: (stack: AsyncDisposableStack, signal: AbortSignal) => Promise<Running>
}

/** Starts a rung. Disposing of it ends what it has started. */
export async function startRung({ start }: Rung, signal: AbortSignal): Promise<Running & AsyncDisposable> {
  await using stack = new AsyncDisposableStack()
  const running = await start(stack, signal)
  const owned = stack.move()
  return { ...running, [Symbol.asyncDispose]: () => owned.disposeAsync() }
}

/** As chapter 6 polls a scheduler. */
const pollMs = 500

const taskOf = (at: number): Task => [at, 1]
/** @throws an Error when a result is wrong: what is fast but wrong is no rung */
function check(at: number, result: unknown) {
  if (result !== at + 1) throw new Error(`add(${at}, 1) returned ${JSON.stringify(result)}`)
}

/** One after the other, and all at once, by a function that does one task. */
const by = (run: (task: Task) => Promise<unknown>) => ({
  async alone(count: number) {
    for (let at = 0; at < count; at++) check(at, await run(taskOf(at)))
  },
  async together(count: number) {
    const results = await Promise.all(Array.from({ length: count }, (_, at) => run(taskOf(at))))
    for (const [at, result] of results.entries()) check(at, result)
  },
})

/** Hands messages to another thread or process, and takes its answers, which come in their order. */
function byMessages(post: (message: unknown) => void) {
  const waiting: ((answer: unknown) => void)[] = []
  return {
    answer: (answer: unknown) => waiting.shift()?.(answer),
    ask: (message: unknown) =>
      new Promise<unknown>((resolve) => {
        waiting.push(resolve)
        post(message)
      }),
  }
}

/** V8 would otherwise put the task into the loop and do nothing at all. */
const call: (a: number, b: number) => number = add

async function startThread(stack: AsyncDisposableStack, file: string, workerData?: unknown): Promise<Worker> {
  const worker = stack.adopt(
    new Worker(new URL(file, import.meta.url), { workerData, execArgv: loader() }),
    async (worker) => void (await worker.terminate()),
  )
  await once(worker, 'online')
  return worker
}

/** Starts a thread that does the tasks of messages, and returns what asks it. */
async function startTaskThread(stack: AsyncDisposableStack) {
  const worker = await startThread(stack, './tasks.worker.ts')
  const { ask, answer } = byMessages((message) => worker.postMessage(message))
  worker.on('message', answer)
  return ask
}

const queue = (label: string, name: string, many: number): Rung => ({
  label,
  many,
  async start(stack, signal) {
    const engine = engines[name]
    if (!engine) throw new Error(`no engine ${name}`)
    const ledger = stack.use(await startRedis({ own: true, signal }))
    const open = stack.use(await openEngine(name, engine, { ledgerUrl: ledger.url, signal }))
    await open.startWorkers()
    return {
      version: [await engine.version(), open.broker.version].filter(Boolean).join(', '),
      durability: open.broker.durability,
      async alone(count) {
        for (let at = 0; at < count; at++) {
          await open.hand(1)
          await open.untilSmallDone(signal)
        }
      },
      async together(count) {
        await open.hand(count)
        await open.untilSmallDone(signal)
      },
    }
  },
})

export const rungs: Record<string, Rung> = {
  call: {
    label: 'a call',
    many: 1_000_000,
    isOnThread: true,
    async start() {
      function run(count: number) {
        for (let at = 0; at < count; at++) check(at, call(at, 1))
      }
      return { alone: run, together: run }
    },
  },
  microtask: {
    label: 'a microtask',
    many: 10_000,
    isOnThread: true,
    start: async () => by(async (task) => call(...task)),
  },
  ring: {
    label: 'a ring in shared memory',
    many: 10_000,
    async start(stack) {
      const [tasks, results] = [ringMemory(1_024, 8), ringMemory(1_024, 4)]
      await startThread(stack, './ring.worker.ts', { tasks, results })
      const [to, from] = [new Ring(tasks), new Ring(results)]
      stack.defer(async () => to.close())
      const [task, result] = [new Int32Array(2), new Int32Array(1)]
      const put = (at: number) => {
        task.set([at, 1])
        to.put(task)
      }
      const take = (at: number) => {
        from.take(result)
        check(at, result[0])
      }
      return {
        alone(count) {
          for (let at = 0; at < count; at++) {
            put(at)
            take(at)
          }
        },
        // Half a ring ahead, so that neither side has to wait for room.
        together(count) {
          const ahead = 512
          for (let at = 0; at < count + ahead; at++) {
            if (at < count) put(at)
            if (at >= ahead) take(at - ahead)
          }
        },
      }
    },
  },
  message: {
    label: 'a message to a thread',
    many: 1_000,
    start: async (stack) => by(await startTaskThread(stack)),
  },
  batch: {
    label: '1,000 tasks in a message',
    many: 10_000,
    async start(stack) {
      const ask = await startTaskThread(stack)
      const most = 1_000
      async function together(count: number) {
        const sending: Promise<unknown>[] = []
        for (let from = 0; from < count; from += most) {
          sending.push(ask(Array.from({ length: Math.min(most, count - from) }, (_, at) => taskOf(from + at))))
        }
        const results = (await Promise.all(sending)).flat()
        for (let at = 0; at < count; at++) check(at, results[at])
      }
      return {
        together,
        // A single task waits for its whole message.
        async alone(count) {
          for (let at = 0; at < count; at++) await together(most)
        },
      }
    },
  },
  pool: {
    label: 'a pool of threads (Piscina)',
    many: 1_000,
    async start(stack) {
      const filename = new URL('./pool.worker.ts', import.meta.url).href
      const pool = stack.adopt(new Piscina({ filename, execArgv: loader() }), (pool) => pool.destroy())
      return by((task) => pool.run(task))
    },
  },
  child: {
    label: 'a message to a process',
    many: 1_000,
    async start(stack, signal) {
      const child = stack.use(
        await startProgram(new URL('./tasks.program.ts', import.meta.url), { untilReady: signal }),
      )
      const { ask, answer } = byMessages((message) => child.process.send(message as Task))
      child.process.on('message', answer)
      return by(ask)
    },
  },
  remote: {
    label: 'a remote object',
    many: 1_000,
    async start(stack, signal) {
      const secret = newSecret()
      const worker = stack.use(await startWorker({ secret, signal }, {}))
      const connection = stack.use(await connect<Exchange>(worker.info.address, { secret, signal }))
      // Its small task is to look up a rate.
      const pair = { from: 'usd', to: 'eur' }
      const { rate: expected } = await connection.remote.rate(pair)
      const look = async ([at]: Task) => ((await connection.remote.rate(pair)).rate === expected ? at + 1 : undefined)
      return by(look)
    },
  },
  bullmq: queue('BullMQ on Redis', 'bullmq', 500),
  'bullmq-pg': queue('BullMQ on PostgreSQL', 'bullmq-pg', 100),
  sqs: queue('SQS, practice cloud', 'sqs', 50),
  spawn: {
    label: 'a new process',
    many: 4,
    async start(_, signal) {
      const run = async ([a, b]: Task) => {
        const child = spawn(process.execPath, ['-p', `${a} + ${b}`], { stdio: ['ignore', 'pipe', 'ignore'], signal })
        let output = ''
        child.stdout.setEncoding('utf8').on('data', (text: string) => {
          output += text
        })
        await once(child, 'close')
        return Number(output)
      }
      return { ...by(run), version: `Node ${process.versions.node}` }
    },
  },
  ssh: {
    label: 'a job by SSH',
    many: 20,
    async start(stack, signal) {
      const host = stack.use(await openLoginNode({ rttMs: 0, signal }))
      const connection = stack.use(await connectBySsh({ ...host.near.options, signal }))
      const run = async ([a, b]: Task) => Number(await connection.output(['expr', String(a), '+', String(b)]))
      return { ...by(run), version: host.name }
    },
  },
  array: {
    label: 'a batch job',
    many: 10,
    async start(stack, signal) {
      // Slurm, where it is installed; else the practice cluster, whose queue has no other users and waits for nothing.
      const real = (await findRealCluster()) ? stack.use(await startRealCluster({ signal })) : undefined
      const host = real && { host: real.host, configFile: real.configFile }
      const cluster = stack.use(await openCluster({ scheduler: 'slurm', signal, ...host }))
      let number = 0
      async function run(count: number) {
        const folder = posix.join(real?.slurm.folder ?? cluster.home, `tasks-${++number}`)
        await cluster.connection.output(['mkdir', folder])
        const array = Array.from({ length: count }, (_, at) => at)
        const command = ['sh', '-c', 'expr "$TASK_ID" + 1']
        const job = await cluster.submit({ name: 'add', command, folder, array })
        const isOver = (tasks: JobStatus[]) => tasks.every(({ state }) => hasEnded(state))
        const tasks = await askUntil(() => cluster.poll([job]), isOver, { everyMs: pollMs, signal })
        const failed = tasks.find(({ state }) => state !== 'completed')
        if (failed) throw new Error(`a task of the job ${failed.state}: ${failed.reason}`)
        const outputs = array.map((at) => jobFiles('add', at).out)
        const results = await cluster.connection.output(['cat', ...outputs], { cwd: folder })
        for (const [at, result] of results.trim().split('\n').entries()) check(at, Number(result))
      }
      return {
        version: real ? cluster.dialect.title : `${cluster.dialect.title} of the practice cluster`,
        together: run,
        async alone(count) {
          for (let at = 0; at < count; at++) await run(1)
        },
      }
    },
  },
}
