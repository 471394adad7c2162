/** Nothing lost and nothing doubled, whatever strikes; and with --quick as a reader runs it and ends it. */
import { readFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { findRedisServer, installRedis } from '@repo/common/servers/redis'
import { runExample } from '@repo/common/testing/testing'
import { describeReal } from '@repo/common/testing/vitest'
import { afterEach, expect, it, vi } from 'vitest'
import { strike } from '../fixtures/strike.ts'

const chapter = fileURLToPath(new URL('../..', import.meta.url))
const need = { name: 'a Redis server', found: await findRedisServer(), install: installRedis }

describeReal('a drill', need, () => {
  const env = { REDIS_URL: undefined }
  afterEach(() => void vi.unstubAllEnvs())

  it.each(['own', 'queue'] as const)('loses and doubles nothing, with the %s ledger', async (ledger) => {
    vi.stubEnv('REDIS_URL', undefined)
    await strike(ledger, 800)
  })

  it('shows them to a reader, with a picture, and leaves nothing behind', async () => {
    const args = ['--jobs', '100', '--kills', '1', '--restarts', '0', '--partitions', '0', '--lock', '500']
    const run = await runExample(chapter, 'drill', args, { env })
    const { code, stdout } = run
    expect(code, run.stderr).toBe(0)
    expect(stdout).toMatch(/--seed \d+ strikes the same way again/)
    expect(stdout).toMatch(/100 jobs in .*: 0 jobs lost, 0 effects lost, 0 effects doubled\./)
    expect(await readFile(/Picture: (.+)/.exec(stdout)?.[1] ?? '', 'utf8')).toContain('worker 3')
    expect(await run.leftBehind()).toEqual([])
  })

  it('reports what it did, with a picture, and leaves nothing behind', async () => {
    const run = await runExample(chapter, 'drill', ['--quick', '--json', '--seed', '7'], { env })
    expect(run, run.stderr).toMatchObject({ code: 0 })
    const result = run.json<{ recoveryMs: number[]; picture: string; faults: unknown[] }>()
    expect(result).toMatchObject({ seed: 7, jobs: 1_000, lost: 0, doubled: 0, kills: 2, restarts: 2, partitions: 1 })
    expect(result.recoveryMs).toHaveLength(5)
    expect(await readFile(result.picture, 'utf8')).toContain('worker 3')
    expect(await run.leftBehind()).toEqual([])
  })

  it('ends at Ctrl-C and leaves nothing behind', async () => {
    const run = await runExample(chapter, 'drill', ['--jobs', '100000'], { env, interruptWhen: /running .*%/ })
    expect(run).toMatchObject({ code: 130, stdout: expect.not.stringContaining('lost,') })
    expect(await run.leftBehind()).toEqual([])
  })
})
