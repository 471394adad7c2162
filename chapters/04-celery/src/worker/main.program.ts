/**
 * A worker: runs the tasks of tasks.ts that come to its queues, until SIGTERM or Ctrl-C; what runs then is finished first.
 *
 *     REDIS_URL=redis://:password@host:6379 pnpm --filter 04-celery worker --queues default,mail --concurrency 16
 *     REDIS_URL=… pnpm --filter 04-celery worker --autoscale 2,32 --name worker-2
 *
 * A second signal gives back what still runs, for another worker to do from the beginning, and ends at once. LOG_LEVEL=debug
 * also tells of each task that succeeded.
 */
import { parseArgs } from 'node:util'
import { listOf, number, wholeNumber } from '@repo/common/example/options'
import { describeError, UsageError } from '@repo/common/example/usage'
import { logger } from '@repo/common/output/log'
import { ready } from '@repo/common/process/ready'
import { startRedis } from '@repo/common/servers/redis'
import { z } from 'zod'
import { queueSettings, routes, tasks } from '../tasks/index.ts'
import { autoscale } from './autoscale.ts'
import { endOnSignals } from './signals.ts'
import { startWorker } from './worker.ts'

const usage = `Usage: REDIS_URL=redis://[user:password@]host:port pnpm --filter 04-celery worker [options]
  --queues a,b        the queues it takes tasks from; default
  --concurrency N     how many tasks of each queue it runs at a time; 16
  --autoscale MIN,MAX the same, between two bounds, as the work comes
  --name NAME         for logs and remote control; host and process id
  --prefix PREFIX     what all keys in Redis begin with; celery
  --grace SECONDS     how long running tasks may take after SIGTERM; 30
  --lock SECONDS      how long a worker that gives no sign of life keeps its tasks; 30
  --help              this text
`
const name = z.string().regex(/^[\w:@.-]{1,100}$/, 'up to 100 letters, digits and : @ . _ -')
const options = z.object({
  queues: listOf(z.string().regex(/^[\w-]{1,100}$/), 'names of queues, separated by commas').optional(),
  concurrency: wholeNumber(1, 10_000).optional(),
  autoscale: listOf(wholeNumber(1, 10_000), 'two whole numbers MIN,MAX', { min: 2, max: 2 }).optional(),
  name: name.optional(),
  prefix: name.optional(),
  grace: number(0, 86_400).default(30),
  lock: number(0.5, 3_600).default(30),
})

function parse(argv: string[]) {
  const keys = Object.keys(options.shape)
  const config = Object.fromEntries(keys.map((key) => [key, { type: 'string' as const }]))
  const { values, positionals, tokens } = parseArgs({
    args: argv[0] === '--' ? argv.slice(1) : argv,
    options: { ...config, help: { type: 'boolean', short: 'h' } },
    strict: false,
    tokens: true,
  })
  const accepted = keys.map((key) => `--${key}`).join(', ')
  for (const token of tokens) {
    if (token.kind === 'option' && token.name !== 'help' && !keys.includes(token.name)) {
      throw new UsageError('option', token.rawName, accepted)
    }
  }
  if (values.help) return undefined
  if (positionals[0] !== undefined) throw new UsageError('operand', positionals[0], `no operands, only ${accepted}`)
  const parsed = options.safeParse(values)
  if (parsed.success) return parsed.data
  const [issue] = parsed.error.issues
  const key = String(issue?.path[0])
  throw new UsageError(`--${key}`, values[key], issue?.message ?? 'another value')
}

async function main() {
  const given = parse(process.argv.slice(2))
  if (!given) return void process.stdout.write(usage)
  if (!process.env.REDIS_URL) {
    const how = 'the Redis that senders use too, as redis://[user:password@]host[:port]'
    throw new UsageError('REDIS_URL', undefined, how)
  }
  const [min, max] = given.autoscale ?? []
  if (min !== undefined && max !== undefined && min > max) {
    throw new UsageError('--autoscale', given.autoscale?.join(','), 'MIN,MAX with MIN not above MAX')
  }
  // Checks the server, and says what is the matter with it.
  const redis = await startRedis()
  const log = logger('worker')
  const worker = await startWorker({
    url: redis.url,
    tasks,
    queueSettings,
    routes,
    log,
    lockMs: given.lock * 1000,
    ...(given.queues && { queues: given.queues }),
    ...(given.name && { name: given.name }),
    ...(given.prefix && { prefix: given.prefix }),
    ...((min ?? given.concurrency) && { concurrency: min ?? given.concurrency }),
  })
  using _scaling = min !== undefined && max !== undefined ? autoscale(worker, { min, max, log }) : undefined

  endOnSignals(worker, log, given.grace * 1_000)
  const { concurrency, queues } = worker.stats()
  log.info({ queues, concurrency, redis: redis.maskedUrl }, `${worker.name} is ready`)
  ready({ name: worker.name })
  await worker.closed
  log.info({}, `${worker.name} has ended`)
}

try {
  await main()
} catch (error) {
  process.stderr.write(`${describeError(error)}\n`)
  process.exitCode = error instanceof UsageError ? 2 : 1
}
