/** The comparison: contenders that fail, are interrupted, or lose their Redis, and what is said of a killed worker. */
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { until } from '@repo/common/async/until'
import { temporaryFolder } from '@repo/common/process/temporary'
import { installRedis, startRedis } from '@repo/common/servers/redis'
import { abortHere, runHere } from '@repo/common/testing/run-here'
import { describeReal } from '@repo/common/testing/vitest'
import { AsyncDisposableStack } from '@whatwg-node/disposablestack'
import { Redis } from 'ioredis'
import { afterEach, describe, expect, it, vi } from 'vitest'
import example from '../../examples/compare.ts'
import { compareAll, ratiosOf } from '../../src/queues/compare.ts'
import { type Contender, type ContenderName, describeSurvival, startContender } from '../../src/queues/contenders.ts'
import { engines } from '../../src/queues/engines.ts'
import { runTask } from '../../src/queues/tasks.ts'
import { redis } from '../fixtures/comparing.ts'

afterEach(() => void vi.unstubAllEnvs())

describeReal('the queues in TypeScript', { name: 'a Redis server', found: redis, install: installRedis }, () => {
  // All of them to the end, and Ctrl-C at later moments, are in compare.long.test.ts.
  it('leave nothing open when they are interrupted', async () => {
    vi.stubEnv('REDIS_URL', undefined)
    expect(await abortHere(example, { only: ['rq'] })).toMatchObject({ message: 'aborted by the test' })
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
    await server.server?.kill()
    await server.restart()
    expect(await nap).toEqual([4_000])
    // It loaded its scripts into the Redis that ran when it started.
    await expect(before.call('add', [[1, 2]])).rejects.toThrow(/NOSCRIPT/)
    const after = await open()
    expect(await after.call('add', [[2, 3]])).toEqual([5])
  })
})

/** A Python whose RQ does what the shell script does in place of peers.py. */
async function fakePython(folder: string, script: string) {
  const file = join(folder, 'python')
  await writeFile(file, `#!/bin/sh\ncase "$*" in *importlib*) echo 9.9; exit;; esac\n${script}\n`, { mode: 0o755 })
  return file
}

describeReal('a contender that fails', { name: 'a Redis server', found: redis, install: installRedis }, () => {
  // Windows does not run a shell script as a program.
  const onUnix = it.skipIf(process.platform === 'win32')

  onUnix('because it cannot be started says why', async () => {
    await using folder = await temporaryFolder()
    const script = 'echo Traceback; echo "ImportError: no rq"; exit 1'
    vi.stubEnv('PEERS_PYTHON', await fakePython(folder.path, script))
    await using server = await startRedis({ own: true })
    const servers = { redisUrl: server.url, secret: '' }
    const contender = await startContender('rq-python', servers, new AbortController().signal)
    expect(contender).toMatchObject({ name: 'rq-python', label: 'RQ', workers: 2, failed: 'ImportError: no rq' })
  })

  onUnix('because it loses a worker is a row that says why', async () => {
    await using folder = await temporaryFolder()
    const script = 'case "$2" in work) echo ready; sleep 1; exit 3;; *) exec sleep 600;; esac'
    vi.stubEnv('PEERS_PYTHON', await fakePython(folder.path, script))
    vi.stubEnv('REDIS_URL', undefined)
    const { contenders, ratios } = await example.run({ only: ['rq-python'], tasks: 100, limit: 0 })
    const failed = 'RQ: a worker ended with code 3'
    expect(contenders).toEqual([{ name: 'rq-python', label: 'RQ 9.9', workers: 2, failed }])
    expect(ratios).toEqual({})
  })
})

describe('compare', () => {
  it('goes on without a contender from the moment at which it fails', async () => {
    const asked: string[] = []
    const contender = (name: ContenderName, failsAt: string): Contender => {
      const ask = async <T>(what: string, answer: T) => {
        asked.push(`${name} ${what}`)
        if (what === failsAt) throw new Error(`Command failed\nTraceback\nValueError: no ${what}\n`)
        return answer
      }
      return {
        name,
        label: name,
        workers: 2,
        many: () => ask('many', 10),
        one: () => ask('one', [1, 2, 3]),
        naps: () => ask('naps', 20),
        kill: () => ask('kill', { outcome: 'nothing', ms: 1, begun: 1 }),
        async [Symbol.asyncDispose]() {},
      }
    }
    const failing = ['many', 'one', 'naps', 'kill', 'nothing']
    const names: ContenderName[] = ['celery', 'rq', 'bee', 'pyro', 'layer']
    const rows = await compareAll(
      names.map((name, at) => contender(name, failing[at] ?? '')),
      {
        tasks: 20,
        naps: 1,
        napMs: 1,
        limitMs: 1,
        rounds: 2,
        oneMs: 1,
        signal: new AbortController().signal,
        onProgress: () => {},
      },
    )
    const measured = { perSecond: 1_000, p50Ms: 2, p99Ms: expect.closeTo(3), sequentialPerSecond: 500 }
    expect(rows).toMatchObject([
      { name: 'celery', failed: 'ValueError: no many', perSecond: undefined, napsMs: undefined },
      { name: 'rq', failed: 'ValueError: no one', perSecond: undefined },
      { name: 'bee', failed: 'ValueError: no naps', ...measured, napsMs: undefined, killed: undefined },
      { name: 'pyro', failed: 'ValueError: no kill', ...measured, napsMs: 20, killed: undefined },
      { name: 'layer', failed: undefined, ...measured, napsMs: 20, killed: { outcome: 'nothing' } },
    ])
    expect(asked.filter((each) => each.startsWith('celery'))).toEqual(['celery many'])
    expect(ratiosOf(rows)).toEqual({})
  })

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
    [{ only: 'rq,rabbit' }, '--only: received "rq,rabbit"; accepts some of bullmq,'],
    [{ only: 'bee,bee' }, '--only: received "bee,bee"; accepts some of bullmq,'],
    [{ tasks: 1 }, '--tasks: received "1"; accepts a whole number from 100 to 1000000'],
    [{ limit: -1 }, '--limit: received "-1"; accepts a whole number from 0 to 600'],
  ])('refuses %o in one line', async (options, message) => {
    await expect(example.run(options as never)).rejects.toThrow(message)
  })

  it('explains itself', async () => {
    const { code, stdout } = await runHere(example, '--help')
    expect(code).toBe(0)
    expect(stdout).toMatch(/^compare: [\s\S]*python3-pyro4[\s\S]*Look for: [\s\S]*--only …/)
  })
})
