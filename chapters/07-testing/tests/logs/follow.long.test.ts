/** The logs of running processes, followed and filtered. The short tests follow files, and filter those of a folder. */
import { join } from 'node:path'
import { findRedisServer, installRedis } from '@repo/common/servers/redis'
import { runExample } from '@repo/common/testing/testing'
import { describeReal } from '@repo/common/testing/vitest'
import { expect, it } from 'vitest'

const chapter = join(import.meta.dirname, '../..')

describeReal('logs', { name: 'a Redis server', found: await findRedisServer(), install: installRedis }, () => {
  it('follows and filters', async () => {
    const args = ['--orders', '5', '--follow', '--grep', 'to payment', '--process', 'front']
    const { stdout, code } = await runExample(chapter, 'logs', args)
    expect(code).toBe(0)
    expect(stdout.match(/front +info +order-\d +sends to payment/g)?.length).toBe(5)
    expect(stdout).not.toMatch(/payment begins/)
    // The headers were logged, but the token in them was not.
    expect(stdout).toContain('"authorization":"***"')
  })
})
