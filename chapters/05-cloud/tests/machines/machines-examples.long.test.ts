/** What takes instances and beanstalk longer, and the same for other programs. */
import { fileURLToPath } from 'node:url'
import { runExample } from '@repo/common/testing/testing'
import { expect, it } from 'vitest'
import instances from '../../examples/instances.ts'

const chapter = fileURLToPath(new URL('../..', import.meta.url))

it('instances returns what it did', async () => {
  expect(await instances.run({ count: 1 })).toMatchObject({
    on: 'processes on this machine',
    instances: ['local-1'],
    words: 1_789_020,
    minutes: 30,
  })
})

it('beanstalk serves until Ctrl-C, and leaves nothing behind', async () => {
  const run = await runExample(chapter, 'beanstalk', ['--serve'], { interruptWhen: /until Ctrl-C/ })
  expect(run.stdout).toMatch(/both are green: http:\/\/127\.0\.0\.1:\d+/)
  expect(run.code).toBe(130)
  expect(await run.leftBehind()).toEqual([])
})
