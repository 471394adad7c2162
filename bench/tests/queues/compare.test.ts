/** The comparison: every contender does the same work, and what is said of a killed worker is true. */
import { readFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { until } from '@repo/common/async/until'
import { findRedisServer, installRedis, startRedis } from '@repo/common/servers/redis'
import { runExample } from '@repo/common/testing/testing'
import { describeReal } from '@repo/common/testing/vitest'
import { AsyncDisposableStack } from '@whatwg-node/disposablestack'
import { findPython, installPython } from '04-celery/celery/python'
import { Redis } from 'ioredis'
import { describe, expect, it } from 'vitest'
import type { Row, ratiosOf } from '../../src/queues/compare.ts'
import { describeSurvival } from '../../src/queues/contenders.ts'
import { engines } from '../../src/queues/engines.ts'
import { runTask } from '../../src/queues/tasks.ts'

const bench = fileURLToPath(new URL('../..', import.meta.url))
const redis = process.env.REDIS_URL ?? (await findRedisServer())
const found = await Promise.all((['celery', 'rq', 'Pyro4'] as const).map((module) => findPython(module)))
interface Result {
  contenders: Row[]
  ratios: ReturnType<typeof ratiosOf>
  chain?: { result: number; answers: number }
  missing: string[]
  picture: string
}

/** On a Redis like a reader's own: nothing may be left there. */
async function compare(...args: string[]): Promise<Result> {
  await using server = await startRedis({ own: true })
  const options = { timeoutMs: 300_000, env: { REDIS_URL: server.url } }
  const run = await runExample(bench, 'compare', ['--quick', '--json', ...args], options)
  expect(run).toMatchObject({ code: 0 })
  expect(await run.leftBehind()).toEqual([])
  using client = Object.assign(new Redis(server.url), { [Symbol.dispose]: () => client.disconnect() })
  expect(await client.keys('*')).toEqual([])
  return run.json<Result>()
}

function expectMeasured(rows: Row[], names: string[]) {
  expect(rows.map(({ name }) => name)).toEqual(names)
  for (const row of rows) {
    for (const figure of [row.perSecond, row.p50Ms, row.p99Ms, row.sequentialPerSecond, row.napsMs]) {
      expect(figure).toBeGreaterThan(0)
    }
    expect(row.p99Ms).toBeGreaterThanOrEqual(row.p50Ms)
    // No task that waits 20 ms is done sooner.
    expect(row.napsMs).toBeGreaterThan(19)
    expect(row.workers).toBe(['remote', 'pyro'].includes(row.name) ? 1 : 2)
  }
}

describeReal('the queues in TypeScript', { name: 'a Redis server', found: redis, install: installRedis }, () => {
  const names = ['bullmq', 'layer', 'pglite', 'rq', 'bee', 'remote']

  it('do the same tasks; killed in mid-task each queue runs it again, and a call fails', {
    timeout: 400_000,
  }, async () => {
    const { contenders, ratios, chain, missing, picture } = await compare('--only', names.join(), '--limit', '60')
    expectMeasured(contenders, names)
    for (const { name, killed } of contenders) {
      if (name === 'remote') {
        expect(killed).toMatchObject({ outcome: 'error', begun: 1, message: expect.stringMatching(/is gone/) })
      } else expect({ name, ...killed }).toMatchObject({ name, outcome: 'result', begun: 2 })
    }
    expect(chain).toEqual({ result: 5, answers: 1 })
    expect(missing).toEqual([])
    expect(ratios).toEqual({})
    expect(await readFile(picture, 'utf8')).toMatch(/our RQ[\s\S]*remote objects/)
  })
})

describeReal('bee-queue', { name: 'a Redis server', found: redis, install: installRedis }, () => {
  it('finishes its task when Redis is restarted, and takes others once it is opened again', async () => {
    await using server = await startRedis({ appendOnly: true, own: true })
    const servers = { redisUrl: server.url, secret: '' }
    const { signal } = new AbortController()
    await using stack = new AsyncDisposableStack()
    const worker = await engines.bee.work(servers, 'q')
    stack.defer(async () => void (await worker.stop()))
    const open = async () => stack.adopt(await engines.bee.open(servers, 'q', '', signal), (client) => client.close())
    const before = await open()
    expect(await before.call('add', [[1, 2]])).toEqual([3])
    const nap = before.call('nap', [[4_000]])
    const client = stack.adopt(new Redis(server.url), (client) => client.disconnect())
    await until(async () => (await client.llen('bq:q:active')) === 1, { timeoutMs: 60_000 })
    server.server?.process.kill('SIGKILL')
    await server.server?.exited
    await server.restart()
    expect(await nap).toEqual([4_000])
    // It loaded its scripts into the Redis that ran when it started.
    await expect(before.call('add', [[1, 2]])).rejects.toThrow(/NOSCRIPT/)
    const after = await open()
    expect(await after.call('add', [[2, 3]])).toEqual([5])
  })
})

const install = [installPython.celery, installPython.rq, installPython.Pyro4].join('; ')
const peers = { name: 'Celery, RQ and Pyro for Python', found: redis && found.every(Boolean), install }
describeReal('the Python ones', peers, () => {
  it('do the same tasks beside ours', { timeout: 400_000 }, async () => {
    const names = ['rq', 'remote', 'celery', 'rq-python', 'rq-simple', 'pyro']
    const { contenders, ratios } = await compare('--only', names.join(), '--limit', '2')
    expectMeasured(contenders, names)
    const killed = Object.fromEntries(contenders.map(({ name, killed }) => [name, killed]))
    expect(killed.pyro).toMatchObject({
      outcome: 'error',
      begun: 1,
      message: expect.stringMatching(/ConnectionClosedError/),
    })
    for (const name of ['rq-python', 'rq-simple']) expect(killed[name]).toMatchObject({ outcome: 'nothing', begun: 1 })
    const of = (name: string) => contenders.find((row) => row.name === name)
    expect(ratios.rqToRq).toBeCloseTo((of('rq')?.perSecond ?? 0) / (of('rq-python')?.perSecond ?? 0), 6)
    expect(ratios.remoteToPyro).toBeCloseTo(
      (of('remote')?.sequentialPerSecond ?? 0) / (of('pyro')?.sequentialPerSecond ?? 0),
      6,
    )
    const shown = found.map((python) => python?.version ?? '')
    expect(contenders.map(({ label }) => label).slice(2)).toEqual([
      `Celery ${shown[0]}`,
      `RQ ${shown[1]}`,
      `RQ ${shown[1]}, SimpleWorker`,
      `Pyro ${shown[2]}`,
    ])
  })
})

describe('compare', () => {
  it('says what became of a task', () => {
    expect(describeSurvival({ outcome: 'result', ms: 4_210, begun: 2 })).toBe('run again: the result after 4.2 s')
    expect(describeSurvival({ outcome: 'nothing', ms: 10_000, begun: 1 })).toBe('nothing')
    const message = 'ws://127.0.0.1:4321 is gone'
    expect(describeSurvival({ outcome: 'error', ms: 12, begun: 1, message })).toBe(
      'an error for the caller, at once: ws://127.0.0.1 is gone',
    )
  })

  it('runs only its three tasks, with arguments that fit', () => {
    expect(runTask('add', [2, 3])).toBe(5)
    expect(() => runTask('constructor', [])).toThrow('no task "constructor"')
    expect(() => runTask('add', ['2', 3])).toThrow(/expected number/)
  })

  it.each([
    [['--only', 'rq,rabbit'], 'error: --only: received "rq,rabbit"; accepts some of bullmq,'],
    [['--tasks', '1'], 'error: --tasks: received "1"; accepts a whole number from 100 to 1000000'],
    [['--limit', '-1'], 'error: --limit: received "-1"; accepts a whole number from 0 to 600'],
  ])('refuses %j in one line with exit code 2', async (args, message) => {
    const { code, stderr } = await runExample(bench, 'compare', args)
    expect(code).toBe(2)
    expect(stderr).toContain(message)
  })

  it('explains itself, and leaves nothing after Ctrl-C', async () => {
    const { code, stdout } = await runExample(bench, 'compare', ['--help'])
    expect(code).toBe(0)
    expect(stdout).toMatch(/^compare: [\s\S]*python3-pyro4[\s\S]*Look for: [\s\S]*--only …/)
    const args = ['--only', 'bullmq,rq,bee']
    // While the workers start, and in the middle of the measurements.
    for (const interruptWhen of [/small tasks and/, /small tasks .* %/]) {
      const run = await runExample(bench, 'compare', args, { interruptWhen })
      expect(run).toMatchObject({ code: 130 })
      expect(await run.leftBehind()).toEqual([])
    }
  })
})
