/** wordcount where workers or the cloud are killed, and what takes it more than one run. */
import { fileURLToPath } from 'node:url'
import { until } from '@repo/common/async/until'
import { type Cost, costOf } from '@repo/common/cost'
import { runExample } from '@repo/common/testing/testing'
import { stateOfTheUnion } from '@repo/common/workloads/texts'
import { describe, expect, it } from 'vitest'
import wordcount from '../../examples/wordcount.ts'
import { sqsClient } from '../../src/cloud/clients.ts'
import { keysOf } from '../../src/cloud/place.ts'
import { startPracticeCloud } from '../../src/local/practice-cloud.ts'
import { leftQueues, untilHeld } from '../../src/queues.ts'
import { countAlone } from '../../src/wordcount/addresses.ts'
import { topWords, wordsIn } from '../../src/wordcount/words.ts'

interface Counted {
  objects: number
  bytes: number
  workers: number
  words: number
  distinct: number
  top: { word: string; count: number }[]
  ms: number
  bestSerialMs: number
}

type Timed = Cost & { repeat: number; ms: number }

const chapter = fileURLToPath(new URL('../..', import.meta.url))
const start = (name: string, ...args: string[]) => runExample(chapter, name, args)

describe('wordcount', () => {
  it('counts the same as one pass although a worker is killed, and leaves nothing behind', async () => {
    const args = ['--quick', '--json', '--workers', '2', '--kill', '1', '--repeat', '2']
    const run = await runExample(chapter, 'wordcount', args)
    expect(run.stderr).not.toContain('error')
    expect(run.code).toBe(0)
    const { counts } = await countAlone()
    const bytes = stateOfTheUnion().reduce((sum, { text }) => sum + Buffer.byteLength(text), 0)
    expect(run.json<Counted>()).toMatchObject({
      objects: 233,
      bytes,
      workers: 2,
      words: wordsIn(counts),
      distinct: counts.size,
      top: topWords(counts, 10),
      killed: 1,
    })
    const { ms, bestSerialMs } = run.json<Counted>()
    expect(run.json()).toMatchObject(costOf(bestSerialMs, [{ workers: 2, ms }]))
    expect(await run.leftBehind()).toEqual([])
  })

  it('says in one line that its cloud is gone, and in another what that leaves there', async () => {
    await using cloud = await startPracticeCloud()
    const env = { AWS_ENDPOINT_URL: cloud.place.url, ...keysOf(cloud.place) }
    const running = runExample(chapter, 'wordcount', ['--repeat', '1000', '--workers', '1'], { env })
    running.catch(() => {})
    const sqs = sqsClient(cloud.place)
    const queue = await until(async () => (await leftQueues(sqs)).find((name) => name.endsWith('-jobs')), {
      timeoutMs: 60_000,
    })
    await untilHeld(sqs, queue, 1, AbortSignal.timeout(60_000))
    cloud.server.process.kill('SIGKILL')
    const run = await running
    expect(run.code).toBe(1)
    const errors = run.stderr.split('\n').filter((line) => line.includes('rror'))
    expect(errors).toEqual([
      expect.stringMatching(/^error: .*(ECONNREFUSED|ECONNRESET|all workers have ended)/),
      expect.stringMatching(/^error: not everything was cleaned up: .*(ECONNREFUSED|ECONNRESET)/),
    ])
    expect(await run.leftBehind()).toEqual([])
  })

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
    expect(wordcount.figure(result)).toMatch(/^1,789,020 words counted by 1 worker in .*; COST /)
  })
})
