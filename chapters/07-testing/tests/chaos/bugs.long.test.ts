/** Chaos: every planted bug is found, with any seed, and the report of the correct version says what happened. */
import { readFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { findRedisServer, installRedis } from '@repo/common/servers/redis'
import { runExample } from '@repo/common/testing/testing'
import { describeReal } from '@repo/common/testing/vitest'
import { expect, it } from 'vitest'
import { faultsOf, kindNames as kinds } from '../../src/chaos/faults.ts'
import { bugNames } from '../../src/pipeline/orders.ts'
import { finds } from './finds.ts'

const chapter = fileURLToPath(new URL('../..', import.meta.url))
const need = { name: 'a Redis server', found: await findRedisServer(), install: installRedis }

describeReal('chaos', need, () => {
  it.each(bugNames)('finds %s', { timeout: 240_000 }, finds)

  it('reports what it did, with a picture, and leaves nothing behind', async () => {
    // Every fault strikes in 7-fault-injection.test.ts. A kill or a restart costs a process, which takes long to start.
    const gentle = kinds.filter((kind) => kind !== 'kill' && kind !== 'restart')
    const args = ['--quick', '--orders', '60', '--workers', '1', '--json', '--seed', '7', '--faults', gentle.join(',')]
    const run = await runExample(chapter, 'chaos', args, { env: { REDIS_URL: undefined }, timeoutMs: 200_000 })
    expect(run, run.stderr).toMatchObject({ code: 0 })
    const result = run.json<{ faults: number; struck: unknown[]; picture: string }>()
    const faults = faultsOf({ seed: 7, orders: 60, kinds: gentle, workers: { payment: 1, shipping: 1 }, lockMs: 600 })
    expect(result).toMatchObject({ seed: 7, orders: 60, faults: faults.length, violations: [], ended: 60 })
    expect(result.struck).toEqual(JSON.parse(JSON.stringify(faults)))
    expect(await readFile(result.picture, 'utf8')).toContain('shipping 1')
    expect(await run.leftBehind()).toEqual([])
  }, 240_000)
})
