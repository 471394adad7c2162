/** The examples about workers, pools and queues as a reader runs them. */
import { readFile } from 'node:fs/promises'
import { availableParallelism } from 'node:os'
import { fileURLToPath } from 'node:url'
import { runExample } from '@repo/common/testing/testing'
import { describe, expect, it } from 'vitest'

const chapter = fileURLToPath(new URL('..', import.meta.url))
const run = (name: string, ...args: string[]) => runExample(chapter, name, args)
const cores = availableParallelism()

async function quickly<Document>(name: string, ...args: string[]): Promise<Document> {
  const done = await run(name, '--quick', '--json', ...args)
  expect({ code: done.code, stderr: done.stderr.match(/error.*/) }).toEqual({ code: 0, stderr: null })
  expect(await done.leftBehind()).toEqual([])
  return done.json<Document>()
}

describe('currency', () => {
  it('gets the same rates of the day in three ways', async () => {
    const result = await quickly<{
      pairs: number
      date: string
      rates: Record<string, number>
      ways: { way: string; ms: number; peakBytes: number; addedBytes: number }[]
    }>('currency', '--pairs', '8', '--latency', '5')
    expect(result).toMatchObject({ pairs: 8, date: '2026-09-29' })
    expect(result.ways.map(({ way }) => way)).toEqual(['sequentially', 'onThreads', 'onTheEventLoop'])
    for (const { ms, peakBytes, addedBytes } of result.ways) {
      expect(ms).toBeGreaterThan(0)
      expect(peakBytes).toBeGreaterThan(addedBytes)
    }
    expect(Object.keys(result.rates).length).toBe(8)
    // From the package's usd.json, as published.
    expect(result.rates['usd/eur']).toBe(0.88022588)
  })

  it('says in one line that the public address cannot be reached', async () => {
    // A network without the world: names are not resolved through a proxy that is not there.
    const { code, stdout, stderr } = await runExample(chapter, 'currency', ['--live', '--json'], {
      env: {
        NODE_USE_ENV_PROXY: '1',
        // Node 22 calls that experimental.
        NODE_NO_WARNINGS: '1',
        HTTPS_PROXY: 'http://127.0.0.1:1',
        https_proxy: 'http://127.0.0.1:1',
        NO_PROXY: '',
        no_proxy: '',
      },
    })
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' })
    expect(stderr).toMatch(/^error: https:\/\/latest\.currency-api\.pages\.dev cannot be reached \(.+\)\n$/)
  })
})

describe('fib', () => {
  interface FibResult {
    cores: number
    rows: { k: number; ms: Record<string, number> }[]
    two: { speedup: number; ceiling: number; efficiency: number }
    python: { version: string; results: { k: number }[] } | null
    picture: string
  }

  it('times every way for every k, and Python where it is', async () => {
    const result = await quickly<FibResult>('fib', '--n', '22', '--python-n', '15')
    expect(result.cores).toBe(cores)
    expect(result.rows.at(-1)?.k).toBe(2 * cores)
    for (const { ms } of result.rows) {
      expect(Object.keys(ms)).toEqual(['main thread', 'worker_threads', 'piscina pool', 'child processes'])
      for (const time of Object.values(ms)) expect(time).toBeGreaterThan(0)
    }
    expect(result.two.efficiency).toBeCloseTo(result.two.speedup / result.two.ceiling, 6)
    if (result.python) expect(result.python.results.map(({ k }) => k)).toEqual(result.rows.map(({ k }) => k))
    expect(await readFile(result.picture, 'utf8')).toContain('The same computation k times at once')
  })

  it('does without Python where there is none', async () => {
    const { code, stdout } = await runExample(chapter, 'fib', ['--quick', '--n', '15'], { env: { PATH: '/nowhere' } })
    expect(code).toBe(0)
    expect(stdout).toContain('python3 was not found')
  })
})

describe('futures', () => {
  it('shows the life of tasks', async () => {
    const result = await quickly<Record<string, unknown> & { order: string[] }>('futures')
    expect(result).toMatchObject({
      n: 34,
      value: 5_702_887,
      error: 'there is no fib(-1)',
      timedOut: 'TimeoutError: no result within 1 ms; the task goes on',
      states: ['cancelled', 'done', 'cancelled', 'done', 'done', 'done'],
    })
    expect(result.thrownAt).toMatch(/^src\/fib\.ts:\d+:\d+$/)
    expect(result.order.toSorted()).toEqual(['fib(26)', 'fib(30)', 'fib(32)', 'fib(33)'])
  })
})

describe('queues', () => {
  it('counts the words of all addresses also when a consumer is killed, and passes every item', async () => {
    const result = await quickly<Record<string, unknown> & { failed: string[]; perSecond: Record<string, number> }>(
      'queues',
      '--kill',
      '--items',
      '20000',
      '--producers',
      '2',
      '--consumers',
      '2',
      '--capacity',
      '16',
    )
    // Counted with Python's re in the package's text files.
    expect(result).toMatchObject({ words: 1_789_329, tasks: 234, capacity: 16 })
    expect(result.checked).toMatchObject({ taken: 20_000, wrong: 0, lostOrDoubled: 0 })
    expect(result.failed).toEqual([expect.stringMatching(/^its consumer, process \d+, was ended by SIGKILL$/)])
    expect(Object.keys(result.perSecond)).toEqual(['processes', 'postMessage', 'batches', 'ring', 'many'])
  })
})

describe('sort', () => {
  it.each(['int32', 'float64'])('sorts as TypedArray.sort does, type %s', async (type) => {
    const result = await quickly<Record<string, number>>(
      'sort',
      '--numbers',
      '100003',
      '--type',
      type,
      '--workers',
      '3',
    )
    expect(result).toMatchObject({ numbers: 100_003, type, workers: 3, sorted: true })
    expect(result.efficiency).toBeCloseTo((result.speedup ?? 0) / (result.ceiling ?? 0), 6)
  })
})

describe('pool', () => {
  it('measures four pools and shows what a fault does to each', async () => {
    const result = await quickly<{
      speeds: { pool: string; perSecond: number }[]
      behaviour: {
        pool: string
        fault: string
        others: number
        of: number
        usable: boolean
        closes: boolean
        cause: string
      }[]
    }>('pool', '--tasks', '500', '--calls', '50', '--workers', '2', '--timeout', '3000')
    expect(result.speeds.map(({ pool }) => pool)).toEqual(['ours', 'piscina', 'tinypool', 'workerpool'])
    expect(result.behaviour.length).toBe(16)
    const ours = result.behaviour.filter(({ pool }) => pool === 'ours')
    expect(ours.map(({ fault }) => fault)).toEqual(['throws', 'exits', 'hangs', 'out of memory'])
    for (const fault of ours) expect(fault).toMatchObject({ others: 10, of: 10, usable: true, closes: true })
    expect(ours.map(({ cause }) => cause)).toEqual([
      'RangeError: a bug in the task',
      'Error: the worker exited with code 3 during its task',
      'TimeoutError: no result within 3000 ms: its worker was stopped',
      'Error: the worker ran out of memory, its limit is 32 MB: give it smaller tasks',
    ])
  })
})

describe('chunking', () => {
  it('counts the same primes in any cut and by any schedule', async () => {
    const args = ['--limit', '200000', '--tasks', '1000', '--chunk', '500', '--workers', '2']
    const result = await quickly<{
      primes: number
      sizes: { tasks: number }[]
      best: { tasks: number; ms: number }
      schedules: { schedule: string; chunks: number; idle: number }[]
      picture: string[]
    }>('chunking', ...args)
    // π(200,000)
    expect(result.primes).toBe(17_984)
    expect(result.sizes.map(({ tasks }) => tasks)).toEqual([1, 2, 4, 8, 16, 32, 100, 320, 1000])
    expect(result.schedules).toMatchObject([
      { schedule: 'static', chunks: 2 },
      { schedule: 'dynamic', chunks: 400 },
      { schedule: 'guided' },
    ])
    for (const picture of result.picture) expect(await readFile(picture, 'utf8')).toMatch(/^<svg/)
  })
})

describe('oversubscribe', () => {
  it('times computing and waiting for 1 to 8 × cores workers', async () => {
    const args = ['--limit', '20000', '--requests', '8', '--latency', '2']
    const result = await quickly<{ primes: number; rows: { workers: number }[]; picture: string }>(
      'oversubscribe',
      ...args,
    )
    expect(result.primes).toBe(2_262)
    expect(result.rows.at(0)?.workers).toBe(1)
    expect(result.rows.at(-1)?.workers).toBe(8 * cores)
    expect(await readFile(result.picture, 'utf8')).toContain(`More workers than the ${cores} cores`)
  })
})
