/** The lock on Redis, and the example as a reader runs it. */
import { readFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { until } from '@repo/common/async/until'
import { findRedisServer, installRedis } from '@repo/common/servers/redis'
import { runHere } from '@repo/common/testing/run-here'
import { runExample } from '@repo/common/testing/testing'
import { describeReal, leavesNothingRunning } from '@repo/common/testing/vitest'
import { describe, expect, it } from 'vitest'
import lock from '../../examples/lock.ts'
import { stores } from '../../src/lease/stores.ts'
import { runLive } from '../../src/lock/live.ts'
import { expectRounds } from './tallies.ts'

const chapter = fileURLToPath(new URL('../..', import.meta.url))
const running = leavesNothingRunning()

describeReal('on Redis', { name: 'a Redis server', found: await findRedisServer(), install: installRedis }, () => {
  it('a paused holder loses a write without a token, and none with a token on everything', () =>
    expectRounds('redis', 1_000))

  it.runIf(process.platform === 'linux')('ends a holder that is paused when it is aborted', async () => {
    const controller = new AbortController()
    const { signal } = controller
    await using redis = await stores.redis.start({})
    const { address } = redis
    const ended = runLive({ store: 'redis', address, rounds: 1, leaseMs: 60_000, mistake: undefined, signal })
    ended.catch(() => {})
    const isStopped = async (line: string) => {
      const stat = await readFile(`/proc/${Number.parseInt(line, 10)}/stat`, 'utf8')
      return stat.slice(stat.lastIndexOf(')') + 2).startsWith('T')
    }
    await until(async () => {
      const holders = (await running()).filter((line) => line.includes('holder.program'))
      return (await Promise.all(holders.map(isStopped))).includes(true)
    })
    controller.abort(new Error('aborted by the test'))
    await expect(ended).rejects.toThrow('aborted by the test')
  })
})

describe('lock', () => {
  it('finds all mistakes, and has a row for a store that is missing', async () => {
    const none = { PATH: '/nowhere', REDIS_SERVER: undefined, REDISMS_DOWNLOAD_DIR: '/nowhere' }
    const run = await runExample(chapter, 'lock', ['--quick', '--json', '--stores', 'redis'], { env: none })
    expect(run, run.stderr).toMatchObject({ code: 0 })
    const { versions, stores } = run.json<{ versions: { mistake?: string; violation?: object }[]; stores: object[] }>()
    expect(versions.filter(({ violation }) => !violation)).toMatchObject([{ histories: 3_000 }])
    expect(versions).toHaveLength(6)
    expect(stores).toEqual([{ store: 'redis', why: expect.stringMatching(/^no Redis server on PATH: install one/) }])
  })

  it.each([
    ['--stores', 'mysql', 'a list of redis, etcd'],
    ['--rounds', '0', 'a whole number'],
    ['--lease', '0.5', 'a whole number'],
    ['--show', 'nothing', 'one of trusts its lease'],
    ['--histories', '-1', 'a whole number'],
    ['--seed', 'x', 'a whole number'],
  ])('refuses %s %s', async (name, value, accepts) => {
    const run = await runHere(lock, name, value)
    expect(run).toMatchObject({ code: 2, stdout: '' })
    expect(run.stderr).toMatch(new RegExp(`^.*${name}: received "${value}"; accepts ${accepts}.*\n$`))
  })

  it('ends on Ctrl-C and leaves nothing behind', async () => {
    const run = await runExample(chapter, 'lock', ['--histories', '10000000'], { interruptWhen: /same ones again/ })
    expect(run, run.stderr).toMatchObject({ code: 130 })
    expect(await run.leftBehind()).toEqual([])
  })

  it('prints its help', async () => expect((await runHere(lock, '--help')).stdout).toMatch(/--rounds/))
})
