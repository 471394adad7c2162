/** What takes wordcount more than one run. */
import { fileURLToPath } from 'node:url'
import { runExample } from '@repo/common/testing/testing'
import { describe, expect, it } from 'vitest'
import wordcount from '../../examples/wordcount.ts'
import { keysOf } from '../../src/cloud/place.ts'
import { startPracticeCloud } from '../../src/local/practice-cloud.ts'

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

  it("says how much faster more workers are, next to the machine's ceiling", async () => {
    const run = await start('wordcount', '--quick', '--json', '--workers', '2', '--jobs', '4', '--compare')
    const result = run.json<{ ms: number; oneWorkerMs: number; speedup: number; ceiling: number }>()
    expect(result.speedup).toBeCloseTo(result.oneWorkerMs / result.ms, 5)
    expect(result.ceiling).toBeGreaterThan(0)
  })

  it('runs for another program', async () => {
    const result = await wordcount.run({ workers: 1, jobs: 4, visibility: 5 })
    expect(result.objects).toBe(233)
    expect(wordcount.figure(result)).toMatch(/^1,789,020 words counted by 1 workers in /)
  })
})
