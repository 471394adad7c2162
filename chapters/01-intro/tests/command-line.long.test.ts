import { fileURLToPath } from 'node:url'
import { runExample } from '@repo/common/testing/testing'
import { expect, it } from 'vitest'

const chapter = fileURLToPath(new URL('..', import.meta.url))

it('measure ends with 130 at Ctrl-C in the middle of its work, with a pool of threads', async () => {
  const args = ['--pages', '100', '--workers', '2']
  const stopped = await runExample(chapter, 'measure', args, { interruptWhen: /measuring on/ })
  expect(stopped).toMatchObject({ code: 130, stderr: expect.not.stringContaining('rror') })
  expect(await stopped.leftBehind()).toEqual([])
})
