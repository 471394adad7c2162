/** s3, spot and private-cloud as a reader runs them. What they show is tested as functions. */
import { fileURLToPath } from 'node:url'
import { type Cost, costOf } from '@repo/common/cost'
import { runExample } from '@repo/common/testing/testing'
import { describe, expect, it } from 'vitest'
import spot from '../examples/spot.ts'
import { keysOf } from '../src/cloud/place.ts'
import { startPracticeCloud } from '../src/local/practice-cloud.ts'
import { countAlone } from '../src/wordcount/addresses.ts'
import { wordsIn } from '../src/wordcount/words.ts'

const chapter = fileURLToPath(new URL('..', import.meta.url))

it('spot counts the same words when the machine is gone at once', async () => {
  const { runs } = await spot.run({ notice: 0.1, visibility: 1, repeat: 2 })
  expect(runs.map(({ words }) => words)).toEqual([1_789_020, 1_789_020])
})

interface Lost {
  heeded: boolean
  ms: number
  words: number
  putBack: number
  again: number
  cost: Cost['cost']
}

describe('s3', () => {
  it('moves small and large objects, and resumes after a break', async () => {
    const args = ['--quick', '--json', '--objects', '40', '--round-trip', '5', '--size', '12']
    const run = await runExample(chapter, 's3', args)
    expect(run.code).toBe(0)
    const result = run.json<Record<string, unknown>>()
    expect(result).toMatchObject({
      objects: 40,
      streams: [
        { way: 'upload by parts', bytes: 12_000_000 },
        { way: 'upload by library', bytes: 12_000_000 },
        { way: 'download by parts', bytes: 12_000_000 },
      ],
      broken: { parts: 7, verified: 'CRC-32' },
      range: 'two',
      author: 'me',
      presigned: 'one two three',
      listed: 40,
      deleted: 40,
    })
    const { resumedUp, resumedDown } = result.broken as { resumedUp: number; resumedDown: number }
    expect(resumedUp).toBeGreaterThanOrEqual(3)
    expect(resumedDown).toBeGreaterThanOrEqual(3)
    const { small, streams } = result as {
      small: { way: string; faster: number; cost: unknown }[]
      streams: { restBytes: number; peakBytes: number }[]
    }
    expect(small.map(({ way, faster }) => [way, faster > 0])).toEqual([
      ['upload', true],
      ['download', true],
    ])
    // More requests at once win, be it two of them or all.
    for (const { cost } of small) expect([2, 64, 'not up to 64']).toContain(cost)
    for (const { restBytes, peakBytes } of streams) {
      expect(restBytes).toBeGreaterThan(20_000_000)
      expect(peakBytes).toBeGreaterThanOrEqual(restBytes)
      expect(peakBytes - restBytes).toBeLessThan(150_000_000)
    }
    expect(await run.leftBehind()).toEqual([])
  })
})

describe('spot', () => {
  // That a worker which holds jobs at the notice puts them back is certain in tests/wordcount/wordcount.test.ts. Here it
  // may just have finished its jobs.
  it('puts jobs back only when it heeds the notice', async () => {
    const run = await runExample(chapter, 'spot', ['--quick', '--json', '--repeat', '1'])
    expect(run.code).toBe(0)
    const { runs, bestSerialMs, cost } = run.json<Cost & { runs: Lost[] }>()
    const words = wordsIn((await countAlone({ most: 40 })).counts)
    expect(runs.map(({ heeded, words }) => [heeded, words])).toEqual([
      [true, words],
      [false, words],
    ])
    const [heeded, ignored] = runs
    for (const lost of runs)
      expect(lost).toMatchObject({ cost: costOf(bestSerialMs, [{ workers: 2, ms: lost.ms }]).cost })
    expect(cost).toBe(heeded?.cost)
    expect(heeded?.putBack).toBeLessThanOrEqual(2)
    expect(ignored?.putBack).toBe(0)
    expect(await run.leftBehind()).toEqual([])
  })
})

describe('private-cloud', () => {
  it('asks any store that is named, and counts there', async () => {
    await using cloud = await startPracticeCloud()
    const { url } = cloud.place
    // For its store and its queues, which it would otherwise start.
    const env = { AWS_ENDPOINT_URL: url, ...keysOf(cloud.place) }
    const run = await runExample(chapter, 'private-cloud', ['--quick', '--json'], { env })
    expect(run.code).toBe(0)
    expect(run.json()).toMatchObject({
      store: `the cloud at ${url}`,
      objects: 40,
      words: wordsIn((await countAlone({ most: 40 })).counts),
    })
    const { workers, ms, bestSerialMs } = run.json<Cost & { workers: number; ms: number }>()
    expect(run.json()).toMatchObject(costOf(bestSerialMs, [{ workers, ms }]))
  })
})
