/**
 * compare: the same tasks through queues and remote objects, in TypeScript and in Python: speed, latency, and a killed worker
 *
 *     pnpm --filter bench start compare
 *     pnpm --filter bench start compare --only rq,bee,bullmq
 *
 * Celery, RQ and Pyro take part where they are installed: npm run peers (Celery and RQ of today), or sudo apt-get
 * install python3-celery python3-redis python3-rq python3-pyro4 (Debian, Ubuntu; older ones). PEERS_PYTHON names one
 * Python to take them from. A contender that fails is named with the reason, and the others go on.
 *
 * Each queue has two worker processes, each remote object one. A small task adds two numbers. There are five rounds; in
 * each the contenders take turns, get all small tasks of the round at once, and every result is checked. Latency is
 * measured on an idle queue with one task after the other, from the call to the result. A waiting task only waits. At
 * the end each contender loses a worker that is in the middle of a task.
 *
 * Look for: what a queue costs against a plain call (the COST), and what it gives for that when a worker dies.
 */
import { example } from '@repo/common/example/example'
import { listOf, oneOf, wholeNumber } from '@repo/common/example/options'
import { describeCost } from '@repo/common/output/costs'
import { progress } from '@repo/common/output/progress'
import { count, milliseconds, table, times } from '@repo/common/output/terminal'
import { startProgram } from '@repo/common/process/child'
import { startAll } from '@repo/common/process/start-all'
import { startRedis } from '@repo/common/servers/redis'
import { AsyncDisposableStack } from '@whatwg-node/disposablestack'
import type { PostgresConnection } from '04-celery/postgres/postgres'
import { newSecret } from '04-celery/remote/processes'
import { compareAll, drawRates, ratiosOf } from '../src/queues/compare.ts'
import { type ContenderName, contenderNames, describeSurvival, startContender } from '../src/queues/contenders.ts'
import { costsOf } from '../src/queues/costs.ts'
import { chainOfFive, leaseMs } from '../src/queues/engines.ts'

/** Those that start fast enough. */
const quickNames: ContenderName[] = ['bullmq', 'rq', 'bee', 'remote', 'celery', 'rq-python', 'pyro']

export default example(import.meta, {
  options: {
    tasks: wholeNumber(100, 1_000_000).default(10_000).describe('small tasks for each, in all rounds together'),
    naps: wholeNumber(1, 1_000).default(100).describe('waiting tasks for each'),
    ms: wholeNumber(1, 10_000).default(50).describe('ms that each of those waits'),
    limit: wholeNumber(0, 600).default(15).describe('seconds to wait for the task of a killed worker; 0 kills none'),
    only: listOf(oneOf(...contenderNames), `some of ${contenderNames.join(',')}`, { distinct: true })
      .optional()
      .describe('only these contenders'),
  },
  quick: { tasks: 200, naps: 20, ms: 20, limit: 0, only: quickNames },

  async run({ tasks, naps, ms, limit, only = contenderNames }, { signal, quick, print, picture }) {
    // The servers, which must still answer when the contenders clean up.
    await using stack = new AsyncDisposableStack()
    const redis = stack.use(await startRedis())
    using bar = progress('starting workers', 1)
    const postgres = only.includes('pglite')
      ? await startProgram<PostgresConnection>(new URL('../src/queues/pglite.program.ts', import.meta.url), {
          untilReady: signal,
          stopTimeoutMs: 2_000,
        }).catch(() => undefined)
      : undefined
    if (postgres) stack.use(postgres)
    signal.throwIfAborted()
    const servers = { redisUrl: redis.url, postgres: postgres?.info, secret: newSecret() }
    print(
      `${count(tasks)} small tasks and ${naps} waiting ones for each, Redis ${redis.version} at ${redis.maskedUrl} …`,
    )

    // Every contender starts its workers, then all are measured in turn.
    const starting = only.map((name) => startContender(name, servers, signal))
    const started = await startAll(stack, starting)
    const contenders = started.flatMap((contender) => contender ?? [])
    const missing = only.filter((_, at) => started[at] === undefined)

    const remote = contenders.flatMap((each) => (each.name === 'remote' && 'address' in each ? each.address : [])).at(0)
    const chain = remote === undefined ? undefined : await chainOfFive(remote, servers.secret).catch(() => undefined)
    const rows = await compareAll(contenders, {
      tasks,
      naps,
      napMs: ms,
      limitMs: limit * 1_000,
      rounds: quick ? 1 : 5,
      oneMs: quick ? 100 : 400,
      signal,
      onProgress: (what, share) => bar.update(share, what),
    })
    print(
      '',
      table(
        ['', 'workers', 'tasks per second', 'latency, median', '99th percentile', `${naps} × ${ms} ms`],
        rows.map(({ label, workers, perSecond, ...row }) => [
          label,
          workers,
          perSecond === undefined ? 'failed' : count(Math.round(perSecond)),
          ...[row.p50Ms, row.p99Ms, row.napsMs].map((ms) => (ms === undefined ? '–' : milliseconds(ms))),
        ]),
      ),
    )
    const failed = rows.filter((row) => row.failed !== undefined)
    if (failed.length > 0) {
      print(
        '',
        table(
          ['failed', 'why'],
          failed.map(({ label, failed }) => [label, failed ?? '']),
        ),
      )
    }
    if (limit > 0) {
      print(
        '',
        table(
          ['a worker killed in mid-task', 'begun', `what came of it within ${limit} s`],
          rows.flatMap(({ label, killed }) => (killed ? [[label, killed.begun, describeSurvival(killed)]] : [])),
        ),
        '',
        `Where this can be set, a worker is taken for dead after ${leaseMs / 1_000} s. The task would take a minute, and takes 1 s when it is run again.`,
      )
    }
    // What all of them must beat is one thread without any of them.
    const costs = await costsOf(rows, { tasks, naps, napMs: ms, signal })
    print('', `Small tasks: ${describeCost(costs)}`, `Waiting tasks: ${describeCost(costs.waiting)}`)
    const ratios = ratiosOf(rows)
    const said: [number | undefined, string][] = [
      [ratios.rqToRq, 'our RQ: tasks per second against RQ'],
      [ratios.rqToSimpleWorker, 'the same against RQ without a process for each task'],
      [ratios.remoteToPyro, 'remote objects: calls one after the other against Pyro'],
      [ratios.remoteAtOnceToPyro, 'remote objects: calls at once against those of Pyro one after the other'],
    ]
    print('', ...said.flatMap(([value, text]) => (value === undefined ? [] : [`${times(value)}  ${text}`])))
    if (chain)
      print(`${chain.answers}  answer for a chain of five remote calls, each with the result of the one before`)
    if (missing.length > 0) print(`Not installed: ${missing.join(', ')}; --help says how to install them.`)

    const file = await picture('compare.svg', drawRates(rows))
    print(`Picture: ${file}`)
    return { tasks, naps, napMs: ms, contenders: rows, ...costs, ratios, chain, missing, picture: file }
  },
  figure: ({ contenders, cost }) => {
    const rates = contenders.map(
      ({ label, perSecond }) => `${label} ${perSecond === undefined ? 'failed' : `${count(Math.round(perSecond))}/s`}`,
    )
    return `${rates.join(', ')}; COST ${cost}`
  },
})
