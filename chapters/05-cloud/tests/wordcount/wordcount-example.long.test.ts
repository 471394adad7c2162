/** What takes wordcount more than one run. */
import { fileURLToPath } from 'node:url'
import { type Cost, costOf } from '@repo/common/cost'
import { runExample } from '@repo/common/testing/testing'
import { describe, expect, it } from 'vitest'
import wordcount from '../../examples/wordcount.ts'
import { keysOf } from '../../src/cloud/place.ts'
import { startPracticeCloud } from '../../src/local/practice-cloud.ts'

type Timed = Cost & { repeat: number; ms: number }

const chapter = fileURLToPath(new URL('../..', import.meta.url))
const start = (name: string, ...args: string[]) => runExample(chapter, name, args)

describe('wordcount', () => {
  it('uploads nothing the second time to a bucket that is kept', async () => {
    await using cloud = await startPracticeCloud()
    const env = { AWS_ENDPOINT_URL: cloud.place.url, ...keysOf(cloud.place) }
    const args = ['--quick', '--json', '--workers', '1', '--jobs', '3', '--bucket', 'kept-bucket']
    const first = await runExample(chapter, 'wordcount', args, { env })
    expect(first.json()).toMatchObject({ uploaded: 233, objects: 233 })
    const second = await runExample(chapter, 'wordcount', args, { env })
    expect(second.json()).toMatchObject({ uploaded: 0, objects: 233 })
    for (const run of [first, second]) {
      expect(run.stdout + run.stderr).not.toContain(cloud.place.credentials?.secretAccessKey)
    }
  })

  it('says how many workers beat one thread, next to the ceiling, and for more and more work', async () => {
    const args = ['--quick', '--json', '--workers', '2', '--jobs', '4', '--compare', '--growth']
    const result = (await start('wordcount', ...args)).json<
      Timed & { oneWorkerMs: number; speedup: number; ceiling: number; sizes: Timed[] }
    >()
    const { ms, bestSerialMs, cost, oneWorkerMs, speedup, ceiling, sizes } = result
    const one = { workers: 1, ms: oneWorkerMs }
    expect({ bestSerialMs, cost }).toEqual(costOf(bestSerialMs, [one, { workers: 2, ms }]))
    expect(speedup).toBeCloseTo(bestSerialMs / ms, 5)
    expect(ceiling).toBeGreaterThan(0)
    expect(sizes.map(({ repeat }) => repeat)).toEqual([1, 2, 5, 10])
    for (const size of sizes) expect(size).toMatchObject(costOf(size.bestSerialMs, [{ workers: 2, ms: size.ms }]))
  })

  it('runs for another program', async () => {
    const result = await wordcount.run({ workers: 1, jobs: 4, visibility: 5 })
    expect(result.objects).toBe(233)
    expect(wordcount.figure(result)).toMatch(/^1,789,020 words counted by 1 workers in .*; COST /)
  })
})
