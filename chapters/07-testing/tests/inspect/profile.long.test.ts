/** profile to its end, on the pipeline. The shorter tests find hot functions, leaks and stalls in programs of their own. */
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { findRedisServer, installRedis } from '@repo/common/servers/redis'
import { runExample } from '@repo/common/testing/testing'
import { describeReal } from '@repo/common/testing/vitest'
import { expect, it } from 'vitest'
import type { CpuProfile } from '../../src/inspect/cpu-profile.ts'

const chapter = join(import.meta.dirname, '../..')
const need = { name: 'a Redis server', found: await findRedisServer(), install: installRedis }

describeReal('a worker under load', need, () => {
  it('shows its hot function, its leak and its stall, and its inspector is closed afterwards', async () => {
    const args = ['--quick', '--rate', '40', '--json']
    const done = await runExample(chapter, 'profile', args, { timeoutMs: 200_000 })
    const result = done.json<{ file: string; leak: { count: number; kept: string[] } }>()
    expect(result).toMatchObject({
      process: 'shipping 1',
      // On a very busy machine, one stall may last for the whole profile.
      hot: {
        name: expect.stringMatching(/^(editDistance|printReceipts)$/),
        where: expect.stringMatching(/^src\/inspect\/planted\.ts:\d+$/),
      },
      leak: { name: 'Receipt', kept: ['receipts: Map', 'Receipt'] },
      stall: { name: 'printReceipts', where: expect.stringMatching(/^src\/inspect\/planted\.ts:/) },
      closed: true,
    })
    expect(result.leak.count).toBeGreaterThan(0)
    const saved = JSON.parse(await readFile(result.file, 'utf8')) as CpuProfile
    expect(saved.nodes.map(({ callFrame }) => callFrame.functionName)).toContain('editDistance')
    expect(await done.leftBehind()).toEqual([])
  }, 240_000)
})
