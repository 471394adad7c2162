/** transfer, as a reader runs it. */
import { readFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { findPostgres, installPostgres } from '@repo/common/servers/postgres'
import { findRedisServer, installRedis } from '@repo/common/servers/redis'
import { runHere } from '@repo/common/testing/run-here'
import { runExample } from '@repo/common/testing/testing'
import { describeReal } from '@repo/common/testing/vitest'
import { describe, expect, it } from 'vitest'
import transfer from '../../examples/transfer.ts'

const chapter = fileURLToPath(new URL('../..', import.meta.url))
const found = (await findPostgres()) && (await findRedisServer())
const needed = { name: 'PostgreSQL and Redis', found, install: `${installPostgres}; ${installRedis}` }

type Result = { real: { way: string; why?: string; kills?: { what?: string }[] }[]; picture: string }

describeReal('transfer', needed, () => {
  it('runs a way in the simulator and for real, and leaves nothing behind', async () => {
    const run = await runExample(chapter, 'transfer', ['--quick', '--json', '--ways', 'saga', '--histories', '100'])
    expect(run, run.stderr).toMatchObject({ code: 0 })
    const { real, picture } = run.json<Result>()
    expect(real.map(({ way, kills }) => [way, kills?.length])).toEqual([['saga', 4]])
    expect(await readFile(picture, 'utf8')).toContain('sum too small')
    expect(await run.leftBehind()).toEqual([])
  })

  it('ends on Ctrl-C and leaves nothing behind', async () => {
    const args = ['--ways', 'outbox', '--histories', '100']
    const run = await runExample(chapter, 'transfer', args, { interruptWhen: /messages/ })
    expect(run).toMatchObject({ code: 130, stderr: expect.not.stringContaining('error') })
    expect(await run.leftBehind()).toEqual([])
  })
})

describe('transfer', () => {
  it('tells the tour what was not tried for real', () => {
    const real = [{ way: 'saga' as const, why: 'needs PostgreSQL' }]
    expect(transfer.figure({ seed: 1, simulated: [], real, picture: '' })).toBe(
      '0 ways, 0 kills, 0 transfers broken; 1 not tried for real',
    )
  })

  it('has a row for what is missing', async () => {
    const env = { PATH: '/nowhere', REDIS_SERVER: undefined, REDIS_URL: undefined, REDISMS_DOWNLOAD_DIR: '/nowhere' }
    const args = ['--json', '--histories', '100', '--ways', 'outbox']
    const run = await runExample(chapter, 'transfer', args, { env })
    expect(run, run.stderr).toMatchObject({ code: 0 })
    expect(run.json<Result>().real).toEqual([
      { way: 'outbox', why: expect.stringMatching(/^needs (Redis|PostgreSQL): /) },
    ])
  })

  it.each([
    [
      ['--ways', 'xa'],
      '--ways: received "xa"; accepts a list of commit-then-send, send-then-commit, 2pc, saga, outbox',
    ],
    [['--down', '1'], '--down: received "1"; accepts a whole number from 10 to 60000'],
    [['--histories', '-5'], '--histories: received'],
  ])('refuses %j', async (args, message) => {
    const { code, stderr } = await runHere(transfer, ...args)
    expect(code).toBe(2)
    expect(stderr).toContain(message)
    expect(stderr.trim().split('\n')).toHaveLength(1)
  })

  it('knows --help', async () => {
    expect((await runHere(transfer, '--help')).stdout).toMatch(/--down/)
  })
})
