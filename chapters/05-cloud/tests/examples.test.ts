import { fileURLToPath } from 'node:url'
import { type Cost, costOf } from '@repo/common/cost'
import { runHere } from '@repo/common/testing/run-here'
import { runExample } from '@repo/common/testing/testing'
import { describe, expect, it } from 'vitest'
import privateCloud from '../examples/private-cloud.ts'
import s3 from '../examples/s3.ts'
import spot from '../examples/spot.ts'
import wordcount from '../examples/wordcount.ts'
import { keysOf } from '../src/cloud/place.ts'
import { startPracticeCloud } from '../src/local/practice-cloud.ts'
import { countAlone } from '../src/wordcount/addresses.ts'
import { wordsIn } from '../src/wordcount/words.ts'

const chapter = fileURLToPath(new URL('..', import.meta.url))
const start = (name: string, ...args: string[]) => runExample(chapter, name, args)

describe('s3', () => {
  it('moves small and large objects, and resumes after a break', async () => {
    const run = await start('s3', '--quick', '--json', '--objects', '40', '--round-trip', '5', '--size', '12')
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

  it('removes what killed runs have left behind', async () => {
    const run = await runHere(s3, '--clean', '--json')
    expect(run.json()).toEqual({ removed: { buckets: [], queues: [] } })
  })
})

interface Lost {
  heeded: boolean
  ms: number
  words: number
  putBack: number
  again: number
  cost: Cost['cost']
}

describe('spot', () => {
  // That a worker which holds jobs at the notice puts them back is certain in tests/wordcount/wordcount.test.ts. Here it
  // may just have finished its jobs.
  it('puts jobs back only when it heeds the notice', async () => {
    const run = await start('spot', '--quick', '--json', '--repeat', '1')
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

it.each(Object.entries({ wordcount, s3, spot, 'private-cloud': privateCloud }))(
  '%s explains itself',
  async (name, example) => {
    const run = await runHere(example, '--help')
    expect(run.code).toBe(0)
    expect(run.stdout).toContain(`Usage: ${name} [options]`)
  },
)
