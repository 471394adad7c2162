/** The example canvas as a reader runs it; canvas-examples.test.ts has its results, and currency in the same way. */
import { fileURLToPath } from 'node:url'
import { runExample } from '@repo/common/testing/testing'
import { expect, it } from 'vitest'
import { describeRedis } from '../fixtures/layer.ts'

const chapter = fileURLToPath(new URL('../..', import.meta.url))

describeRedis('canvas', () => {
  it('shows them to a reader, and leaves nothing behind', async () => {
    const run = await runExample(chapter, 'canvas', ['--ms', '10', '--workers', '1'])
    const { code, stdout } = run
    expect(code, run.stderr).toBe(0)
    expect(await run.leftBehind()).toEqual([])
    expect(stdout).toMatch(/diamond +4 +\d/)
    expect(stdout).toMatch(/wait +\(its default\) +waiting-children/)
  })

  it('stops at Ctrl-C and leaves nothing behind', async () => {
    const run = await runExample(chapter, 'canvas', ['--ms', '5000', '--workers', '1'], {
      interruptWhen: /worker processes/,
    })
    expect(run.code).toBe(130)
    expect(await run.leftBehind()).toEqual([])
  })
})
