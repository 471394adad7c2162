/** The examples of the smallest queue, also as a reader runs them. */
import { randomUUID } from 'node:crypto'
import { fileURLToPath } from 'node:url'
import { until } from '@repo/common/async/until'
import { costOf } from '@repo/common/cost'
import { readHeader } from '@repo/common/example/header'
import { describeError } from '@repo/common/example/usage'
import { loader, startServer } from '@repo/common/process/child'
import { processesWith } from '@repo/common/process/marked'
import { findRedisServer, installRedis, startRedis } from '@repo/common/servers/redis'
import { runHere } from '@repo/common/testing/run-here'
import { runExample } from '@repo/common/testing/testing'
import { describeReal } from '@repo/common/testing/vitest'
import { Redis } from 'ioredis'
import { afterEach, describe, expect, it, vi } from 'vitest'
import celeryInterop from '../../examples/celery-interop.ts'
import rqCurrency from '../../examples/rq-currency.ts'
import rqWorkers from '../../examples/rq-workers.ts'
import { said } from '../fixtures/said.ts'

const chapter = fileURLToPath(new URL('../..', import.meta.url))
const need = {
  name: 'a Redis server',
  found: process.env.REDIS_URL ?? (await findRedisServer()),
  install: installRedis,
}

afterEach(() => void vi.unstubAllEnvs())

describeReal('rq-currency', need, () => {
  it('shows the rates of the day to a reader, and the line that failed', async () => {
    vi.stubEnv('REDIS_URL', undefined)
    const run = await runHere(rqCurrency, '--quick', '--workers', '2')
    expect(run).toMatchObject({ code: 0 })
    expect(run.stdout).toMatch(/rate usd\/eur +finished +0\.88022588/)
    expect(run.stdout).toMatch(
      /Failed: there is no currency "atlantis" \(rates\.ts:\d+\), in the list of failed jobs\.\n$/,
    )
  })

  it('uses the workers that rq-workers --stay runs on the same Redis, and both leave it empty', async () => {
    await using server = await startRedis({ own: true })
    const env = { REDIS_URL: server.url }
    const mark = randomUUID()
    await using workers = await startServer({
      command: process.execPath,
      args: [...loader(), 'examples/rq-workers.ts', '1', '--stay', '--deadline', '60000'],
      cwd: chapter,
      env: { ...env, RQ_TEST: mark },
      ready: /Ctrl-C stops them/,
    })
    using redis = Object.assign(new Redis(server.url), { [Symbol.dispose]: () => redis.disconnect() })
    const args = ['--json', '--pairs', '5', '--latency', '400']
    const client = await runExample(chapter, 'rq-currency', args, { env })
    type Result = Awaited<ReturnType<typeof rqCurrency.run>>
    const { rates, polls, ...result } = client.json<Result>()
    const cost = costOf(result.bestSerialMs, [{ workers: 1, ms: result.ms }])
    expect(result).toMatchObject({ workers: 1, pairs: 5, ...cost })
    expect(rates.map(({ from, to }) => `${from}/${to}`)).toEqual([
      'usd/eur',
      'eur/jpy',
      'jpy/gbp',
      'gbp/cny',
      'cny/aud',
    ])
    // From the package's own file v1/currencies/usd.json.
    expect(rates[0]).toMatchObject({ rate: 0.88022588, date: '2026-09-29' })
    // One job after the other: together they take seconds, and the first poll comes after 50 ms.
    expect(polls).toBeGreaterThan(1)
    expect(result.failed).toEqual([{ error: 'there is no currency "atlantis"', inFailedList: true }])
    expect(await client.leftBehind()).toEqual([])
    // Ctrl-C in the other terminal.
    workers.process.kill('SIGINT')
    expect(await workers.exited).toMatchObject({ code: 130 })
    await until(async () => (await processesWith('RQ_TEST', mark)).length === 0, { timeoutMs: 60_000 })
    expect(await redis.keys('*')).toEqual([])
  })
})

describe('what cannot be done', () => {
  const run = ['two', '0', '2 3'].map((given): [string, () => Promise<unknown>, string] => [
    given,
    () => rqWorkers.run({}, given.split(' ')),
    `N: received "${given}"; accepts how many workers, a whole number from 1 to 64`,
  ])
  it.each([
    ...run,
    ['--stay', () => rqWorkers.run({ stay: true }), '--stay: received "no REDIS_URL"; accepts a Redis in REDIS_URL'],
    ['--lease', () => rqWorkers.run({ lease: 1 }), '--lease: received "1"; accepts a whole number from 500 to 600000'],
    ['--pairs', () => rqCurrency.run({ pairs: 0 }), '--pairs: received "0"; accepts a whole number from 1 to'],
  ])('is refused in one line: %s', async (_what, run, message) => {
    vi.stubEnv('REDIS_URL', undefined)
    await expect(run()).rejects.toThrow(message)
  })

  it('is an operand where none is taken: exit code 2 and one line', async () => {
    const { code, stdout, stderr } = await said('rq-currency', ['usd'])
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' })
    expect(stderr).toMatch(/^error: operand: received "usd"; accepts no operands, only --pairs, .*\n$/)
  })

  it.each([rqWorkers, rqCurrency, celeryInterop].map((example) => [example.file, example] as const))(
    '%s explains itself',
    async (file) => {
      const { name, text } = await readHeader(file)
      expect(text).toMatch(new RegExp(`^${name}: [\\s\\S]*pnpm --filter 04-celery start ${name}[\\s\\S]*Look for: `))
    },
  )

  it('without the right password is work that failed, in one line without the password', async () => {
    await using server = await startRedis({ own: true })
    vi.stubEnv('REDIS_URL', server.url.replace(/:[^:@]*@/, ':wrong@'))
    const error = await rqCurrency.run().catch(describeError)
    expect(error).toMatch(/^error: REDIS_URL: redis:\/\/:\*\*\*@\S+ refuses the password: WRONGPASS .*$/)
  })
})
