/** monitor as a reader runs it. */
import { fileURLToPath } from 'node:url'
import { runExample } from '@repo/common/testing/testing'
import { expect, it } from 'vitest'
import { describeRedis } from '../fixtures/layer.ts'

const chapter = fileURLToPath(new URL('../..', import.meta.url))

describeRedis('monitor', () => {
  it('ends at Ctrl-C and leaves nothing behind', async () => {
    const run = await runExample(chapter, 'monitor', [], { env: { REDIS_URL: undefined }, interruptWhen: /done\/s/ })
    expect(run.code).toBe(130)
    expect(await run.leftBehind(10_000)).toEqual([])
  })
})
