/** Every example as a reader runs it: what it prints, draws and returns. */
import { readFile, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { coreCount } from '@repo/common/cores'
import type { Speedup } from '@repo/common/measure'
import { temporaryFolder } from '@repo/common/process/temporary'
import { runExample } from '@repo/common/testing/testing'
import { decode } from 'fast-png'
import { describe, expect, it } from 'vitest'

const chapter = fileURLToPath(new URL('..', import.meta.url))
const run = (name: string, ...args: string[]) => runExample(chapter, name, args)
const cores = coreCount()

async function quickly<Document>(name: string, ...args: string[]): Promise<Document> {
  const done = await run(name, '--quick', '--json', ...args)
  expect({ code: done.code, stderr: done.stderr.match(/error.*/) }).toEqual({ code: 0, stderr: null })
  expect(await done.leftBehind()).toEqual([])
  return done.json<Document>()
}

type Measured = Speedup & { picture: string }

function expectMeasured(result: Measured, workers: number) {
  expect(result).toMatchObject({ workers, cores })
  expect(result.speedup).toBeCloseTo(result.serialMs / result.parallelMs, 6)
  expect(result.efficiency).toBeCloseTo(result.speedup / result.ceiling, 6)
  expect(result.parallelMs).toBeGreaterThan(0)
  expect(result.ceiling).toBeGreaterThan(0)
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
    // A network without the internet: a proxy that does not exist.
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

  it('times every way for every k, and Python if it is installed', async () => {
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

  it('does without Python if it is not installed', async () => {
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
    expect(result.thrownAt).toMatch(/^src\/fib\/fib\.ts:\d+:\d+$/)
    expect(result.order.toSorted()).toEqual(['fib(26)', 'fib(30)', 'fib(32)', 'fib(33)'])
  })
})

describe('queues', () => {
  it('counts the words of all addresses even if a consumer is killed, and passes every item', async () => {
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
      causes: string[]
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
    const errors = [
      'RangeError: a bug in the task',
      'Error: the worker exited with code 3 during its task',
      'TimeoutError: no result within 3000 ms: its worker was stopped',
      'Error: the worker ran out of memory, its limit is 32 MB: give it smaller tasks',
    ]
    expect(result.causes).toEqual(['none', ...errors])
    expect(result.speeds.map(({ pool }) => pool)).toEqual(['ours', 'piscina', 'tinypool', 'workerpool'])
    expect(result.behaviour.length).toBe(16)
    const ours = result.behaviour.filter(({ pool }) => pool === 'ours')
    expect(ours.map(({ fault }) => fault)).toEqual(['throws', 'exits', 'hangs', 'out of memory'])
    for (const fault of ours) expect(fault).toMatchObject({ others: 10, of: 10, usable: true, closes: true })
    expect(ours.map(({ cause }) => cause)).toEqual(errors)
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

describe('similarity', () => {
  it('finds the five most similar pairs of addresses and draws all pairs', async () => {
    const run = await runExample(chapter, 'similarity', ['--quick', '--json', '--workers', '2'])
    expect(run).toMatchObject({ code: 0 })
    const result = run.json<Measured & { top: { score: number }[] }>()
    expectMeasured(result, 2)
    // Computed with Python's sets from the package's text files.
    expect(result).toMatchObject({ documents: 233, pairs: 27_028, size: 3 })
    expect(result.top).toMatchObject([
      { a: { year: 1867, name: 'Andrew Johnson' }, b: { year: 1868, name: 'Andrew Johnson' } },
      { a: { year: 1878, name: 'Rutherford B Hayes' }, b: { year: 1879, name: 'Rutherford B Hayes' } },
      { a: { year: 1875, name: 'Ulysses S Grant' }, b: { year: 1897, name: 'William Mc Kinley' } },
      { a: { year: 1906, name: 'Theodore Roosevelt' }, b: { year: 1907, name: 'Theodore Roosevelt' } },
      { a: { year: 1905, name: 'Theodore Roosevelt' }, b: { year: 1907, name: 'Theodore Roosevelt' } },
    ])
    expect(result.top.map(({ score }) => score)).toEqual([
      0.11301636788776305, 0.06374984850321173, 0.06137012369172217, 0.060388193407603076, 0.05925393904026575,
    ])
    const svg = await readFile(result.picture, 'utf8')
    const png = decode(Buffer.from(/base64,([^"]+)/.exec(svg)?.[1] ?? '', 'base64'))
    expect(png).toMatchObject({ width: 233, height: 233 })
    expect(await run.leftBehind()).toEqual([])
  })

  it('shows them to a reader', async () => {
    const { code, stdout } = await run('similarity', '--quick')
    expect(code).toBe(0)
    expect(stdout).toMatch(/1867 Andrew Johnson +1868 Andrew Johnson +11\.3 %/)
    expect(stdout).toMatch(/ceiling is \d+\.\d\d×/)
    expect(stdout).toMatch(/Picture: .*similarity\.svg\n$/)
  })

  it("compares the reader's own texts, even if there are fewer than workers", async () => {
    await using folder = await temporaryFolder()
    await writeFile(join(folder.path, 'a.txt'), 'We the people of the United States')
    await writeFile(join(folder.path, 'b.txt'), 'we the People of the world')
    await writeFile(join(folder.path, 'empty.txt'), '')
    const args = ['--quick', '--json', '--texts', folder.path, '--size', '2', '--workers', '4']
    const result = (await run('similarity', ...args)).json<Measured & { top: unknown[] }>()
    expectMeasured(result, 4)
    // 4 of 7: we the, the people, people of, of the | the united, united states | the world.
    expect(result).toMatchObject({ documents: 3, pairs: 3 })
    expect(result.top).toEqual([
      { a: { file: 'a.txt' }, b: { file: 'b.txt' }, score: 4 / 7 },
      { a: { file: 'a.txt' }, b: { file: 'empty.txt' }, score: 0 },
      { a: { file: 'b.txt' }, b: { file: 'empty.txt' }, score: 0 },
    ])
  })
})

describe('mandelbrot', () => {
  it('draws the same pixels with any number of workers', async () => {
    const results = []
    for (const workers of [1, 2, 3]) {
      const args = ['--json', '--width', '320', '--height', '200', '--iterations', '500', '--workers', String(workers)]
      const result = (await run('mandelbrot', ...args)).json<Measured & { sha256: string }>()
      expectMeasured(result, workers)
      results.push(result)
    }
    expect(new Set(results.map(({ sha256 }) => sha256)).size).toBe(1)
    const png = decode(await readFile(results[0].picture))
    expect(png).toMatchObject({ width: 320, height: 200, channels: 3 })
  })

  it('shows the whole set if asked to', async () => {
    const { code, stdout } = await run('mandelbrot', '--quick', '--center', '-0.75,0', '--zoom', '1')
    expect(code).toBe(0)
    expect(stdout).toMatch(/sha256 of the pixels: [0-9a-f]{64}\n/)
    const picture = /Picture: (.*)\n/.exec(stdout)?.[1] ?? ''
    expect((await stat(picture)).size).toBeGreaterThan(1_000)
  })
})
