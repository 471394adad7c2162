/** The logs of running processes, merged, followed and filtered. The short tests do that with files. */
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

  it('merges five logs in a possible order, with one correlation id and no secret', async () => {
    const done = await runExample(chapter, 'logs', ['--quick', '--json'])
    const result = done.json<{
      story: { process: string; message: string; correlation: string }[]
      shifts: object
      byMessage: Record<string, number>
    }>()
    expect(result).toMatchObject({
      secretsFound: 0,
      impossibleMerged: 0,
      shown: 0,
      processes: ['front', 'payment 1', 'payment 2', 'shipping 1', 'shipping 2'],
      unreadable: [expect.stringMatching(/^payment-1\.log:\d+ cannot be read: .* is not JSON$/)],
    })
    // A request without a reply is sent again.
    for (const message of ['request', 'order received', 'sends to payment', 'order accepted'])
      expect(result.byMessage[message], message).toBeGreaterThanOrEqual(10)
    expect(new Set(result.story.map(({ correlation }) => correlation)).size).toBe(1)
    const messages = result.story.map(({ message }) => message)
    expect(messages).toEqual(['sends to payment', 'sends to shipping', 'shipping done'])
    expect(await done.leftBehind()).toEqual([])
  })
})
