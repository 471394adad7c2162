/** four-hosts and Ctrl-C; in hosts.test.ts it is ended by SIGKILL, after which it cannot clean up itself. */
import { fileURLToPath } from 'node:url'
import { runExample } from '@repo/common/testing/testing'
import { describeReal } from '@repo/common/testing/vitest'
import { expect, it } from 'vitest'
import { labNeeds, labs } from '../fixtures/labs.ts'

const chapter = fileURLToPath(new URL('../..', import.meta.url))

describeReal('four-hosts', labNeeds, () => {
  it('ends at Ctrl-C and leaves no namespace', async () => {
    const args = ['--n', '5000000', '--chunks', '500']
    const run = await runExample(chapter, 'four-hosts', args, {
      env: { REDIS_URL: undefined },
      interruptWhen: /host4/,
    })
    expect(run.code).toBe(130)
    expect(await run.leftBehind(10_000)).toEqual([])
    // Another test file may have labs at the same time.
    expect(await labs(String(run.pid))).toEqual([])
  })
})
