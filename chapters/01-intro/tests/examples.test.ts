/** What the examples find out, as a reader sees it. */
import { readFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { coreCount } from '@repo/common/cores'
import { costOf } from '@repo/common/cost'
import { runHere } from '@repo/common/testing/run-here'
import { runExample } from '@repo/common/testing/testing'
import { stateOfTheUnion } from '@repo/common/workloads/texts'
import { afterEach, describe, expect, it, vi } from 'vitest'
import amdahl from '../examples/amdahl.ts'
import latency from '../examples/latency.ts'
import { amdahlCost, karpFlatt } from '../src/laws/laws.ts'
import { fitUsl } from '../src/measure/fits.ts'
import { longestRepeats, pageLength, pagesOf } from '../src/measure/pages.ts'
import { onThreads, wasBusy } from '../src/measure/scaling.ts'
import { bitsOf } from '../src/mixed/sum.ts'

const chapter = fileURLToPath(new URL('..', import.meta.url))

afterEach(() => {
  vi.unstubAllEnvs()
})

/**
 * The JSON document of a run that worked. Each example is a process here: nothing else proves that it ends, and leaves
 * nothing behind.
 */
async function document<Document extends { picture: string }>(name: string, ...args: string[]): Promise<Document> {
  const done = await runExample(chapter, name, ['--json', ...args])
  expect(done, done.stderr).toMatchObject({ code: 0, signal: null })
  expect(await done.leftBehind()).toEqual([])
  const document = done.json<Document>()
  expect(await readFile(document.picture, 'utf8')).toMatch(/^<svg /)
  return document
}

describe('amdahl', () => {
  interface Document {
    fraction: number
    rows: { workers: number; amdahl: number; gustafson: number; efficiency: number }[]
    limit: number | null
    picture: string
  }

  it('reproduces the known figures for 99 %', async () => {
    const { fraction, rows, limit } = await document<Document>(
      'amdahl',
      '--fraction',
      '0.99',
      '--workers',
      '10,100,1000',
    )
    expect({ fraction, limit }).toEqual({ fraction: 0.99, limit: 100 })
    const expected = [
      [10, 9.17, 9.91, 0.917],
      [100, 50.25, 99.01, 0.5025],
      [1000, 90.99, 990.01, 0.09099],
    ]
    expect(rows).toHaveLength(3)
    for (const [at, [workers = 0, speedup = 0, scaled = 0, efficiency = 0]] of expected.entries()) {
      expect(rows[at]?.workers).toBe(workers)
      expect(rows[at]?.amdahl).toBeCloseTo(speedup, 2)
      expect(rows[at]?.gustafson).toBeCloseTo(scaled, 9)
      expect(rows[at]?.efficiency).toBeCloseTo(efficiency, 3)
    }
  })

  it('prints them', async () => {
    const { stdout } = await runHere(amdahl, '--fraction', '0.99', '--workers', '10,100,1000')
    expect(stdout).toMatch(/ 10 +9\.2× [\s\S]* 100 +50\.3× [\s\S]* 1,000 +91\.0× /)
    expect(stdout).toContain('never passes 100×, the limit')
  })

  it('has no limit without a serial part, and no speedup without a parallel one', async () => {
    expect(await amdahl.run({ fraction: 1, workers: [7] })).toMatchObject({
      rows: [{ workers: 7, amdahl: 7, gustafson: 7, efficiency: 1 }],
      limit: null,
    })
    expect(await amdahl.run({ fraction: 0, workers: [7] })).toMatchObject({
      rows: [{ workers: 7, amdahl: 1, gustafson: 1 }],
      limit: 1,
    })
  })
})

describe('measure', () => {
  interface Document {
    serialFraction: number
    busy: boolean
    rows: {
      workers: number
      ms: number
      speedup: number
      ceiling: number
      efficiency: number
      karpFlatt: number | null
    }[]
    fits: {
      amdahl: { serialFraction: number; error: number } | null
      amdahlOnThreads: { serialFraction: number; error: number }
      usl: { contention: number; coherency: number; peak: number | null }
    }
    bestSerialMs: number
    cost: number | string
    costByAmdahl: number | null
    page: number
    passage: string
    picture: string
  }

  it('measures past the cores and fits both laws', async () => {
    const pages = 20
    const args = ['--quick', '--workers', '1', '--serial-fraction', '0.25', '--pages', String(pages)]
    const result = await document<Document>('measure', ...args)
    const { serialFraction, busy, rows, fits, bestSerialMs, costByAmdahl, page, passage } = result
    expect(serialFraction).toBe(0.25)
    expect(rows.map(({ workers }) => workers)).toEqual([1, 2, 3])
    expect(rows[0]).toMatchObject({ speedup: 1, ceiling: 1, karpFlatt: null })
    for (const row of rows.slice(1)) {
      expect(row.speedup).toBeCloseTo((rows[0]?.ms ?? 0) / row.ms, 9)
      expect(row.efficiency).toBeCloseTo(row.speedup / row.ceiling, 9)
      expect(row.karpFlatt).toBeCloseTo(karpFlatt(row.speedup, row.workers), 9)
    }
    expect(fits.amdahlOnThreads.error).toBeCloseTo(fits.amdahlOnThreads.serialFraction - 0.25, 9)
    if (fits.amdahl) expect(fits.amdahl.error).toBeCloseTo(fits.amdahl.serialFraction - 0.25, 9)
    expect(fits.usl).toMatchObject(fitUsl(onThreads(rows)))
    expect(busy).toBe(wasBusy(rows, coreCount()))
    expect(result).toMatchObject(costOf(bestSerialMs, rows))
    expect(costByAmdahl ?? Number.POSITIVE_INFINITY).toBe(amdahlCost(0.75, (rows[0]?.ms ?? 0) / bestSerialMs))

    const texts = stateOfTheUnion().map(({ text }) => text)
    const expected = pagesOf(texts, pages)
    longestRepeats(expected, { from: 0, to: pages })
    expect(passage).toHaveLength(Math.max(...expected.lengths))
    const text = Buffer.from(expected.text).toString('latin1', page * pageLength, (page + 1) * pageLength)
    expect(text.indexOf(passage)).toBeLessThan(text.lastIndexOf(passage))
  })
})

it('race loses nothing in the correct ways, and all but one in step', async () => {
  const result = await document<{
    picture: string
    expected: number
    inStep: object
    alone: { ms: number }
    apartBytes: number
    falseSharing: number
    rows: { way: string; lost: number[]; ms: number; nsPerAddition: number }[]
  }>('race', '--quick', '--workers', '3', '--additions', '200000', '--apart', '8')
  expect(result).toMatchObject({ expected: 600_000, inStep: { expected: 3, counted: 1 }, apartBytes: 8 })
  expect(result.falseSharing).toBeGreaterThan(0)
  expect(result.rows.map(({ way }) => way)).toEqual(['unprotected', 'atomic', 'mutex', 'adjacent', 'padded'])
  const correct = result.rows.filter(({ way }) => way !== 'unprotected').map(({ ms }) => ({ workers: 3, ms }))
  expect(result).toMatchObject(costOf(result.alone.ms, correct))
  for (const { way, lost, ms, nsPerAddition } of result.rows) {
    expect(lost).toHaveLength(6)
    expect(nsPerAddition).toBeCloseTo((ms * 1e6) / 600_000, 9)
    // How many are lost without protection is random; of 600,000 additions the last one is always there.
    if (way === 'unprotected') expect(Math.max(...lost)).toBeLessThan(600_000)
    else expect(lost).toEqual([0, 0, 0, 0, 0, 0])
    expect(Math.min(...lost)).toBeGreaterThanOrEqual(0)
  }
})

it('messages has a time and a throughput for each way and size', async () => {
  interface Trip {
    ms: number
    gigabytesPerSecond: number
  }
  const result = await document<{
    picture: string
    rows: ({ bytes: number } & Record<string, Trip>)[]
    pays: { work: string; nsPerByte: number; from: Record<string, number | null> }[]
  }>('messages', '--quick', '--sizes', '1kB,1MB')
  expect(result.rows.map(({ bytes }) => bytes)).toEqual([1e3, 1e6])
  for (const row of result.rows) {
    for (const way of ['here', 'share', 'transfer', 'clone', 'process']) {
      expect(row[way]?.gigabytesPerSecond).toBeCloseTo(row.bytes / (row[way]?.ms ?? 0) / 1e6, 9)
    }
  }
  expect(result.pays).toHaveLength(4)
  for (const { from } of result.pays) {
    expect(Object.keys(from)).toEqual(['share', 'transfer', 'clone', 'process'])
    for (const bytes of Object.values(from)) expect([null, 1e3, 1e6]).toContain(bytes)
  }
})

it('mixed has one sum, bit for bit, in every layout', async () => {
  const args = ['--quick', '--terms', '1000000', '--layouts', '3x1,1x3,2x2']
  const result = await document<{
    picture: string
    sum: number
    bits: string
    winner: string
    aloneMs: number
    layouts: {
      layout: string
      processes: number
      threads: number
      ms: number
      bits: string
      inOrderOfWorkers: number
      memoryBytes: number
      parts: { from: number; to: number; threads: object[] }[]
    }[]
  }>('mixed', ...args)
  expect(result.sum).toBeCloseTo(Math.PI, 12)
  expect(result.bits).toBe(bitsOf(result.sum))
  expect(result.layouts.map(({ layout }) => layout)).toEqual(['3×1', '1×3', '2×2'])
  for (const { processes, bits, inOrderOfWorkers, memoryBytes } of result.layouts) {
    expect(bits).toBe(result.bits)
    expect(inOrderOfWorkers).toBeCloseTo(Math.PI, 12)
    expect(memoryBytes).toBeGreaterThan(processes * 10e6)
  }
  expect(result.layouts.map(({ layout }) => layout)).toContain(result.winner)
  const runs = result.layouts.map(({ processes, threads, ms }) => ({ workers: processes * threads, ms }))
  expect(result).toMatchObject(costOf(result.aloneMs, runs))
  expect(result.layouts[2]?.parts).toEqual([
    {
      from: 0,
      to: 512,
      threads: [
        { from: 0, to: 256 },
        { from: 256, to: 512 },
      ],
    },
    {
      from: 512,
      to: 1024,
      threads: [
        { from: 512, to: 768 },
        { from: 768, to: 1024 },
      ],
    },
  ])
})

it('latency has a median and a 99th percentile for every rung', async () => {
  const { rungs, missing } = await document<{
    picture: string
    rungs: { name: string; medianNs: number; p99Ns: number; samples: number }[]
    missing: string[]
  }>('latency', '--samples', '200')
  expect(rungs.length + missing.length).toBe(9)
  for (const { medianNs, p99Ns, samples } of rungs) {
    expect(p99Ns).toBeGreaterThanOrEqual(medianNs)
    expect(samples).toBeGreaterThanOrEqual(20)
  }
  // The simulated distance is never shorter than it says.
  expect(rungs.at(-1)).toMatchObject({ name: 'wide-area network (simulated)' })
  expect(rungs.at(-1)?.medianNs).toBeGreaterThan(99e6)
})

it('latency leaves Redis out where it is missing, and says how to install it', async () => {
  for (const name of ['PATH', 'REDISMS_DOWNLOAD_DIR']) vi.stubEnv(name, '/nowhere')
  for (const name of ['REDIS_URL', 'REDIS_SERVER']) vi.stubEnv(name, undefined)
  const { stdout } = await runHere(latency, '--samples', '100')
  expect(stdout).toMatch(/Left out: Redis PING: install a server with .*redis/)
  expect(stdout).not.toMatch(/^ Redis PING/m)
})
