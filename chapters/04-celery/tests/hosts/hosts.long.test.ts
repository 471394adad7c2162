/** four-hosts to its end, and Ctrl-C; in hosts.test.ts it is ended by SIGKILL, after which it cannot clean up itself. */
import { fileURLToPath } from 'node:url'
import { type Cost, costOf } from '@repo/common/cost'
import { runExample } from '@repo/common/testing/testing'
import { describeReal } from '@repo/common/testing/vitest'
import { expect, it } from 'vitest'
import { labNeeds, labs } from '../fixtures/labs.ts'

const chapter = fileURLToPath(new URL('../..', import.meta.url))

describeReal('four-hosts', labNeeds, () => {
  it('sorts on both worker hosts, without the one that is cut off, and on both again', async () => {
    const run = await runExample(chapter, 'four-hosts', ['--quick', '--json', '--n', '300000'], {
      env: { REDIS_URL: undefined },
    })
    expect(run, run.stderr).toMatchObject({ code: 0 })
    const result = run.json<{
      bestSerialMs: number
      cost: Cost['cost']
      steps: { step: string; ms: number; bestSerialMs: number; sorted: boolean; byWorker: Record<string, number> }[]
      replica: { keys: number; keysOnReplica: number }
    }>()
    expect(result).toMatchObject({ n: 300_000, chunks: 16, replica: { acknowledged: 1 } })
    expect(result.replica.keysOnReplica).toBe(result.replica.keys)
    expect(result.steps).toHaveLength(5)
    const best = Math.min(...result.steps.map(({ bestSerialMs }) => bestSerialMs))
    const runs = result.steps.slice(0, 2).map(({ ms }) => ({ workers: 2, ms }))
    expect(result).toMatchObject(costOf(best, runs))
    for (const { sorted, byWorker } of result.steps) {
      expect(sorted).toBe(true)
      expect((byWorker.host3a ?? 0) + (byWorker.host3b ?? 0)).toBe(16)
    }
    expect(result.steps[3]?.byWorker).toEqual({ host3a: 16 })
    expect(await run.leftBehind()).toEqual([])
  })

  it('ends at Ctrl-C and leaves no namespace', async () => {
    const args = ['--n', '5000000', '--chunks', '500']
    const run = await runExample(chapter, 'four-hosts', args, {
      env: { REDIS_URL: undefined },
      interruptWhen: /host4/,
    })
    expect(run.code).toBe(130)
    expect(await run.leftBehind()).toEqual([])
    // Another test file may have labs at the same time.
    expect(await labs(String(run.pid))).toEqual([])
  })
})
