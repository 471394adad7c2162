/** serverless as a process, interrupted. serverless-example.test.ts has what it finds. */
import { fileURLToPath } from 'node:url'
import { runExample } from '@repo/common/testing/testing'
import { expect, it } from 'vitest'

const chapter = fileURLToPath(new URL('../..', import.meta.url))

it('serverless stops on Ctrl-C with 130, and leaves nothing behind', async () => {
  const run = await runExample(chapter, 'serverless', ['--quick'], { interruptWhen: /counting/ })
  expect(run.code).toBe(130)
  expect(await run.leftBehind()).toEqual([])
})
