/** The configuration of a worker in production, from the environment. It is checked before anything else happens. */
import { readFileSync } from 'node:fs'
import { acceptedBy, accepting, listOf, number, wholeNumber } from '@repo/common/example/options'
import { UsageError } from '@repo/common/example/usage'
import { shownVariable } from '@repo/common/output/secrets'
import { z } from 'zod'
import { mostQueues } from '../queue/options.ts'

const name = /^[\w:@.-]{1,100}$/
const isRedisUrl = (text: string) => ['redis:', 'rediss:'].includes(URL.parse(text)?.protocol ?? '')

/** Every variable that is read, what it accepts, and its default. */
const variables = {
  REDIS_URL: accepting('rediss://user:password@host:port, or redis:// for one on this machine', (text) =>
    isRedisUrl(text) ? text : undefined,
  ),
  WORKER_REDIS_CA: accepting('the path of a readable PEM file', readPem).optional(),
  WORKER_QUEUES: listOf(
    accepting('a name', (text) => (name.test(text) ? text : undefined)),
    '1 to 100 names of queues, each once, separated by commas',
    { max: mostQueues, distinct: true },
  ).default(['default']),
  WORKER_CONCURRENCY: wholeNumber(1, 10_000).default(16),
  WORKER_NAME: accepting('up to 100 letters, digits and : @ . _ -', (text) =>
    name.test(text) ? text : undefined,
  ).optional(),
  WORKER_PREFIX: accepting('up to 100 letters, digits and : @ . _ -', (text) =>
    name.test(text) ? text : undefined,
  ).default('celery'),
  WORKER_GRACE_SECONDS: number(0, 86_400).default(30),
  WORKER_LOCK_SECONDS: number(0.5, 3_600).default(30),
  WORKER_HEALTH_HOST: accepting('an IP address of this machine', (text) =>
    z.union([z.ipv4(), z.ipv6()]).safeParse(text).success ? text : undefined,
  ).default('127.0.0.1'),
  WORKER_HEALTH_PORT: wholeNumber(0, 65_535).default(0),
}

export type Config = { [Name in keyof typeof variables]: z.output<(typeof variables)[Name]> }

/**
 * Reads and checks the environment.
 *
 * @throws UsageError for the first variable that is missing or wrong, and for a WORKER_… that nothing reads, because a
 *   typing error would otherwise go unnoticed. Passwords are masked.
 */
export function readConfig(env: NodeJS.ProcessEnv): Config {
  for (const given of Object.keys(env)) {
    if (given.startsWith('WORKER_') && !Object.hasOwn(variables, given)) {
      throw new UsageError('environment', given, Object.keys(variables).join(', '))
    }
  }
  const entries = Object.entries(variables).map(([variable, schema]) => {
    // In a file of variables an empty value means that the variable is not set.
    const text = env[variable] || undefined
    const parsed = schema.safeParse(text)
    if (parsed.success) return [variable, parsed.data]
    throw new UsageError(variable, text && shownVariable(variable, text), acceptedBy(schema) ?? 'another value')
  })
  const config = Object.fromEntries(entries) as Config
  const { protocol, hostname } = new URL(config.REDIS_URL)
  if (protocol === 'redis:' && !['localhost', '127.0.0.1', '[::1]'].includes(hostname)) {
    const how = 'rediss:// to another machine: passwords and tasks must not travel in the clear'
    throw new UsageError('REDIS_URL', shownVariable('REDIS_URL', config.REDIS_URL), how)
  }
  return config
}

function readPem(path: string): string | undefined {
  try {
    const text = readFileSync(path, 'utf8')
    return text.includes('-----BEGIN CERTIFICATE-----') ? text : undefined
  } catch {
    return undefined
  }
}
