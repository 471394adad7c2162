/** The example `elect` as a reader runs it. */
import { fileURLToPath } from 'node:url'
import { findRedisServer, installRedis } from '@repo/common/servers/redis'
import { runHere } from '@repo/common/testing/run-here'
import { runExample } from '@repo/common/testing/testing'
import { describeReal, leavesNothingRunning } from '@repo/common/testing/vitest'
import { describe, expect, it } from 'vitest'
import elect from '../../examples/elect.ts'

const chapter = fileURLToPath(new URL('../..', import.meta.url))
leavesNothingRunning()

describeReal('on Redis', { name: 'a Redis server', found: await findRedisServer(), install: installRedis }, () => {
  it('ends on Ctrl-C and leaves nothing behind', async () => {
    const args = ['--histories', '1', '--stores', 'redis', '--leases', '60000']
    const run = await runExample(chapter, 'elect', args, { interruptWhen: /what it breaks/ })
    expect(run, run.stderr).toMatchObject({ code: 130 })
    expect(await run.leftBehind()).toEqual([])
  })
})

describe('elect', () => {
  it('finds all mistakes, and has a row for a store that is missing', async () => {
    const none = { PATH: '/nowhere', REDIS_SERVER: undefined, REDISMS_DOWNLOAD_DIR: '/nowhere' }
    const run = await runExample(chapter, 'elect', ['--quick', '--json'], { env: none })
    expect(run, run.stderr).toMatchObject({ code: 0 })
    const { versions, stores } = run.json<{ versions: { violation?: string }[]; stores: object[] }>()
    expect(versions.filter(({ violation }) => !violation)).toMatchObject([{ histories: 2_000 }])
    expect(versions).toHaveLength(4)
    expect(stores).toEqual([{ store: 'redis', why: expect.stringMatching(/^no Redis server on PATH: install one/) }])
  })

  it.each([
    [['--stores', 'mysql'], '--stores: received "mysql"; accepts a list of redis, etcd'],
    [['--leases', '2000,1000'], '--leases: received "2000,1000"; accepts rising numbers of ms'],
    [['--leases', '1500', '--stores', 'etcd'], '--leases: received "1500"; accepts multiples of 1000'],
    [['--renewals', '2'], '--renewals: received "2"; accepts rising numbers from 3 to 100'],
    [['--pause', '0'], '--pause: received "0"; accepts a whole number'],
    [['--elections', '21'], '--elections: received "21"; accepts a whole number'],
    [['--histories', 'x'], '--histories: received "x"; accepts a whole number'],
  ])('refuses %j', async (args, message) => {
    const run = await runHere(elect, ...args)
    expect(run).toMatchObject({ code: 2, stdout: '' })
    expect(run.stderr).toContain(message)
    expect(run.stderr.trim().split('\n')).toHaveLength(1)
  })

  it('prints its help', async () => expect((await runHere(elect, '--help')).stdout).toMatch(/--renewals/))
})
