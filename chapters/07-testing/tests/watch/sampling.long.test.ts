/** Three whole pipelines, one after the other. What they share with a queue is shown by traces.test.ts. */
import { join } from 'node:path'
import { findRedisServer, installRedis } from '@repo/common/servers/redis'
import { runExample } from '@repo/common/testing/testing'
import { describeReal } from '@repo/common/testing/vitest'
import { expect, it } from 'vitest'

const chapter = join(import.meta.dirname, '../..')

describeReal('sampling', { name: 'a Redis server', found: await findRedisServer(), install: installRedis }, () => {
  it('counts what is left of the orders', async () => {
    const done = await runExample(chapter, 'sampling', ['--orders', '40', '--share', '0.5', '--json'])
    const { rows } = done.json<{ rows: Record<'placed' | 'endToEnd' | 'loose' | 'links', number>[] }>()
    const [parent, link, each] = rows
    expect(parent).toMatchObject({ halves: 0, loose: 0, paid: parent?.placed, shipped: parent?.placed })
    expect(parent).toMatchObject({ endToEnd: parent?.placed, traces: parent?.placed })
    expect(link).toMatchObject({ halves: 0, loose: 0, paid: link?.placed, shipped: link?.placed })
    expect(link).toMatchObject({ endToEnd: link?.placed, traces: 3 * (link?.placed ?? 0) })
    expect(each).toMatchObject({ halves: 0 })
    expect(each?.loose).toBeGreaterThan(0)
    expect(each?.endToEnd).toBeLessThan(40)
    expect(await done.leftBehind()).toEqual([])
  })
})
