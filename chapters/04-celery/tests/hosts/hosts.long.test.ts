/** four-hosts and Ctrl-C; in hosts.test.ts it is ended by SIGKILL, after which it cannot clean up itself. */
import { fileURLToPath } from 'node:url'
import { findRedisServer } from '@repo/common/servers/redis'
import { runExample } from '@repo/common/testing/testing'
import { describeReal } from '@repo/common/testing/vitest'
import { expect, it } from 'vitest'
import { labProblem } from '../../src/hosts/namespaces.ts'
import { labs } from '../fixtures/labs.ts'

const chapter = fileURLToPath(new URL('../..', import.meta.url))
const need = {
  name: 'root on Linux, iproute2 and a Redis server',
  found: (await labProblem()) === undefined && (await findRedisServer()),
  install: 'as root: apt-get install iproute2 redis-server',
}

describeReal('four-hosts', need, () => {
  it('ends at Ctrl-C and leaves no namespace', async () => {
    const before = await labs()
    const args = ['--n', '5000000', '--chunks', '500']
    const run = await runExample(chapter, 'four-hosts', args, {
      env: { REDIS_URL: undefined },
      interruptWhen: /host4/,
    })
    expect(run.code).toBe(130)
    expect(await run.leftBehind(10_000)).toEqual([])
    expect((await labs()).filter((name) => !before.includes(name))).toEqual([])
  })
})
