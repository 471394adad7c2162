/** The examples of the smallest queue as a reader runs them. */
import { randomUUID } from 'node:crypto'
import { fileURLToPath } from 'node:url'
import { until } from '@repo/common/async/until'
import { startServer } from '@repo/common/process/child'
import { findRedisServer, installRedis, startRedis } from '@repo/common/servers/redis'
import { processesWith, runExample } from '@repo/common/testing/testing'
import { describeReal } from '@repo/common/testing/vitest'
import { Redis } from 'ioredis'
import { describe, expect, it } from 'vitest'

const chapter = fileURLToPath(new URL('../..', import.meta.url))
const run = (name: string, ...args: string[]) => runExample(chapter, name, args)
const need = {
  name: 'a Redis server',
  found: process.env.REDIS_URL ?? (await findRedisServer()),
  install: installRedis,
}

describeReal('rq-currency', need, () => {
  it('gets the rates of the day, and the failed job with its error', async () => {
    const run = await runExample(chapter, 'rq-currency', ['--quick', '--json', '--workers', '3', '--pairs', '5'])
    expect(run).toMatchObject({ code: 0 })
    const result = run.json<{ rates: { from: string; to: string; rate: number }[]; polls: number; failed: object[] }>()
    expect(result).toMatchObject({ pairs: 5, workers: 3 })
    expect(result.rates.map(({ from, to }) => `${from}/${to}`)).toEqual([
      'usd/eur',
      'eur/jpy',
      'jpy/gbp',
      'gbp/cny',
      'cny/aud',
    ])
    // From the package's own file v1/currencies/usd.json.
    expect(result.rates[0]).toMatchObject({ rate: 0.88022588, date: '2026-09-29' })
    expect(result.polls).toBeGreaterThan(0)
    expect(result.failed).toEqual([{ error: 'there is no currency "atlantis"', inFailedList: true }])
    expect(await run.leftBehind()).toEqual([])
  })

  it('shows them to a reader, with the line that failed', async () => {
    const { code, stdout } = await run('rq-currency', '--quick')
    expect(code).toBe(0)
    expect(stdout).toMatch(/rate usd\/eur +finished +0\.88022588/)
    expect(stdout).toMatch(/Failed: there is no currency "atlantis" \(rates\.ts:\d+\), in the list of failed jobs\.\n$/)
  })

  it('ends with 130 and leaves nothing after Ctrl-C', async () => {
    const run = await runExample(chapter, 'rq-currency', ['--latency', '2000'], { interruptWhen: /…/ })
    expect(run).toMatchObject({ code: 130 })
    expect(await run.leftBehind()).toEqual([])
  })

  it('uses the workers that rq-workers --stay runs on the same Redis, and both leave it empty', async () => {
    await using server = await startRedis({ own: true })
    const env = { REDIS_URL: server.url }
    const mark = randomUUID()
    await using workers = await startServer({
      command: process.execPath,
      args: ['--import', import.meta.resolve('tsx'), 'examples/rq-workers.ts', '3', '--stay', '--deadline', '60000'],
      cwd: chapter,
      env: { ...env, RQ_TEST: mark },
      ready: /Ctrl-C stops them/,
    })
    using redis = Object.assign(new Redis(server.url), { [Symbol.dispose]: () => redis.disconnect() })
    const client = await runExample(chapter, 'rq-currency', ['--quick', '--json'], { env })
    expect(client.json()).toMatchObject({ workers: 3, pairs: 8 })
    // Ctrl-C in the other terminal.
    workers.process.kill('SIGINT')
    expect(await workers.exited).toMatchObject({ code: 130 })
    await until(async () => (await processesWith('RQ_TEST', mark)).length === 0, { timeoutMs: 60_000 })
    expect(await redis.keys('*')).toEqual([])
  })
})

describeReal('rq-workers', need, () => {
  it('lets workers finish, kills the one that takes too long, and its job has one result', async () => {
    const run = await runExample(chapter, 'rq-workers', ['3', '--quick', '--json'])
    expect(run).toMatchObject({ code: 0 })
    const result = run.json<{ workers: { code: number | null; signal: string | null }[]; jobs: object[] }>()
    expect(result.workers).toHaveLength(3)
    expect(result.workers.filter(({ signal }) => signal === 'SIGKILL')).toHaveLength(1)
    expect(result.workers.filter(({ code }) => code === 0)).toHaveLength(2)
    expect(result).toMatchObject({ abandoned: 1 })
    expect(result.jobs).toEqual([
      { status: 'finished', attempts: 1, result: 300 },
      { status: 'finished', attempts: 1, result: 300 },
      { status: 'finished', attempts: 2, result: 4_000 },
    ])
    expect(await run.leftBehind()).toEqual([])
  })

  it('ends with 130 and leaves nothing after Ctrl-C', async () => {
    const run = await runExample(chapter, 'rq-workers', ['--deadline', '1000'], { interruptWhen: /workers at/ })
    expect(run).toMatchObject({ code: 130 })
    expect(await run.leftBehind()).toEqual([])
  })
})

describe('what cannot be done', () => {
  it.each([
    [['rq-workers', 'two'], 'error: N: received "two"; accepts how many workers, a whole number from 1 to 64'],
    [['rq-workers', '0'], 'error: N: received "0"; accepts how many workers, a whole number from 1 to 64'],
    [['rq-workers', '2', '3'], 'error: N: received "2 3"; accepts how many workers, a whole number from 1 to 64'],
    [['rq-workers', '--stay'], 'error: --stay: received "no REDIS_URL"; accepts a Redis in REDIS_URL'],
    [['rq-workers', '--lease', '1'], 'error: --lease: received "1"; accepts a whole number from 500 to 600000'],
    [['rq-currency', '--pairs', '0'], 'error: --pairs: received "0"; accepts a whole number from 1 to'],
    [['rq-currency', 'usd'], 'error: operand: received "usd"; accepts no operands'],
  ])('%j is refused with exit code 2 and one line', async ([name = '', ...args], message) => {
    const { code, stdout, stderr } = await runExample(chapter, name, args, { env: { REDIS_URL: undefined } })
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' })
    expect(stderr).toContain(message)
    expect(stderr.trim().split('\n')).toHaveLength(1)
  })

  it.each(['rq-workers', 'rq-currency', 'celery-interop'])('%s explains itself', async (name) => {
    const { code, stdout } = await run(name, '--help')
    expect(code).toBe(0)
    expect(stdout).toMatch(new RegExp(`^${name}: [\\s\\S]*Look for: [\\s\\S]*--json`))
  })

  it('without the right password is work that failed, in one line without the password', async () => {
    await using server = await startRedis({ own: true })
    const env = { REDIS_URL: server.url.replace(/:[^:@]*@/, ':wrong@') }
    const { code, stderr } = await runExample(chapter, 'rq-currency', ['--quick'], { env })
    expect(code).toBe(1)
    expect(stderr).toMatch(/^error: REDIS_URL: redis:\/\/:\*\*\*@\S+ refuses the password: WRONGPASS .*\n$/)
  })
})
