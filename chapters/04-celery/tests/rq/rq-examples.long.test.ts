/** Ctrl-C while an example waits for its workers; in rq-examples.test.ts it ends rq-workers --stay. */
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
