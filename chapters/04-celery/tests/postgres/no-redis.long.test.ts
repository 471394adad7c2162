/** The example no-redis as a reader runs it, with no Redis anywhere, and a worker that is killed with a task. */
import { dirname } from 'node:path'
import { fileURLToPath } from 'node:url'
import { runExample } from '@repo/common/testing/testing'
import { describe, expect, it } from 'vitest'

const chapter = fileURLToPath(new URL('../..', import.meta.url))
/** Redis is neither named nor to be found. */
const noRedis = {
  REDIS_URL: undefined,
  REDIS_SERVER: undefined,
  PATH: dirname(process.execPath),
  REDISMS_DOWNLOAD_DIR: '/nowhere',
}

describe('no-redis', () => {
  it('works where there is no Redis, and leaves nothing behind', async () => {
    const run = await runExample(chapter, 'no-redis', ['--quick', '--json', '--tasks', '100'], { env: noRedis })
    expect(run, run.stderr).toMatchObject({ code: 0 })
    const result = run.json<{ postgresPerSecond: number; killed: string; finisher: string }>()
    expect(result).toMatchObject({
      tasks: 100,
      workers: 2,
      bestSerialMs: expect.any(Number),
      cost: 'not up to 2',
      error: expect.stringContaining('rate: received -1; accepts numbers above 0'),
    })
    expect(result).not.toHaveProperty('redisPerSecond')
    expect(result.postgresPerSecond).toBeGreaterThan(0)
    expect([result.killed, result.finisher].sort()).toEqual(['worker 1', 'worker 2'])
    expect(await run.leftBehind()).toEqual([])
  })
})
