/** remote-currency with servers of its own as a reader runs it, and ends it. */
import { fileURLToPath } from 'node:url'
import { runExample } from '@repo/common/testing/testing'
import { expect, it } from 'vitest'

const chapter = fileURLToPath(new URL('../..', import.meta.url))

it('remote-currency stops at Ctrl-C and leaves nothing behind', async () => {
  const run = await runExample(chapter, 'remote-currency', ['--delay', '1000'], { interruptWhen: /says that/ })
  expect(run.code).toBe(130)
  expect(run.stderr).not.toContain('error')
  expect(await run.leftBehind()).toEqual([])
})
