/** rq-workers as a reader runs it, and Ctrl-C while an example waits for its workers. */
import { fileURLToPath } from 'node:url'
import { findRedisServer, installRedis } from '@repo/common/servers/redis'
import { runExample } from '@repo/common/testing/testing'
import { describeReal } from '@repo/common/testing/vitest'
import { expect, it } from 'vitest'

const chapter = fileURLToPath(new URL('../..', import.meta.url))
const need = {
  name: 'a Redis server',
  found: process.env.REDIS_URL ?? (await findRedisServer()),
  install: installRedis,
}

describeReal('rq-workers', need, () => {
  it('lets workers finish, kills the one that takes too long, and its job has one result', async () => {
    // Not --quick: on a busy machine, a worker that has nothing to do may need more than its second to end.
    const run = await runExample(chapter, 'rq-workers', ['3', '--json'])
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
    const run = await runExample(chapter, 'rq-workers', ['--deadline', '300'], { interruptWhen: /workers at/ })
    expect(run).toMatchObject({ code: 130 })
    expect(await run.leftBehind()).toEqual([])
  })
})

describeReal('rq-currency', need, () => {
  it('ends with 130 and leaves nothing after Ctrl-C', async () => {
    const run = await runExample(chapter, 'rq-currency', ['--latency', '500'], { interruptWhen: /…/ })
    expect(run).toMatchObject({ code: 130 })
    expect(await run.leftBehind()).toEqual([])
  })
})
