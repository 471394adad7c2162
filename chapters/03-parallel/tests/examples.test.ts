/** The documents of the examples, against values known from outside. */
import { createHash } from 'node:crypto'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { coreCount } from '@repo/common/cores'
import { type Cost, costOf } from '@repo/common/cost'
import type { Speedup } from '@repo/common/measure'
import { temporaryFolder } from '@repo/common/process/temporary'
import { runHere } from '@repo/common/testing/run-here'
import { runExample } from '@repo/common/testing/testing'
import { compareAlone } from '@repo/common/workloads/all-pairs'
import { drawing, drawTile, tilesOf } from '@repo/common/workloads/mandelbrot'
import { stateOfTheUnion } from '@repo/common/workloads/texts'
import { describe, expect, it } from 'vitest'
import pool from '../examples/pool.ts'
import similarity from '../examples/similarity.ts'
import { mostSimilar } from './fixtures/most-similar.ts'

const chapter = fileURLToPath(new URL('..', import.meta.url))

/** The document of a quick run that worked. */
async function quickly<Document>(example: Parameters<typeof runHere>[0], ...args: string[]): Promise<Document> {
  return (await runHere(example, '--quick', '--json', ...args)).json()
}

/** The document of an example that is a process here: nothing else proves that it ends, and leaves nothing behind. */
async function documentOf<Document>(name: string, ...args: string[]): Promise<Document> {
  const run = await runExample(chapter, name, ['--quick', '--json', ...args])
  expect(run, run.stderr).toMatchObject({ code: 0, signal: null })
  expect(await run.leftBehind()).toEqual([])
  return run.json()
}

type Measured = Speedup & Cost & { picture: string }
type Grown = { ways: Record<string, { size: number }[]>; serialSlope: number; picture: string }

function expectMeasured(result: Measured, workers: number) {
  expect(result).toMatchObject({ workers, cores: coreCount() })
  expect(result.speedup).toBeCloseTo(result.serialMs / result.parallelMs, 6)
  expect(result.efficiency).toBeCloseTo(result.speedup / result.ceiling, 6)
}

it('currency says in one line that the public address cannot be reached', async () => {
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

it('futures shows the life of tasks', async () => {
  const result = await documentOf<Record<string, unknown> & { order: string[] }>('futures')
  expect(result).toMatchObject({
    n: 34,
    value: 5_702_887,
    error: 'there is no fib(-1)',
    timedOut: 'TimeoutError: no result within 1 ms; the task goes on',
    states: ['cancelled', 'done', 'cancelled', 'done', 'done', 'done'],
  })
  expect(result.thrownAt).toMatch(/^src\/fib\/fib\.ts:\d+:\d+$/)
  expect(result.order.toSorted()).toEqual(['fib(25)', 'fib(29)', 'fib(31)', 'fib(33)'])
})

it('sort sorts doubles as TypedArray.sort does', async () => {
  const args = ['--numbers', '50003', '--type', 'float64', '--workers', '3']
  const result = await documentOf<Measured>('sort', ...args)
  expect(result).toMatchObject({ numbers: 50_003, type: 'float64', sorted: true })
  expectMeasured(result, 3)
})

describe('similarity', () => {
  // Once more by the whole example, with its measurements, in examples.long.test.ts.
  it('finds the five most similar pairs of addresses', async () => {
    const addresses = stateOfTheUnion()
    const { top } = await compareAlone(
      addresses.map(({ text }) => text),
      3,
      { count: 5 },
    )
    const found = top.map(({ a, b, score }) => ({ a: addresses[a], b: addresses[b], score }))
    expect(found).toMatchObject(mostSimilar)
  })

  /** A folder with these texts, by their names without `.txt`. */
  async function folderWith(texts: Record<string, string>) {
    const folder = await temporaryFolder()
    for (const [name, text] of Object.entries(texts)) await writeFile(join(folder.path, `${name}.txt`), text)
    return folder
  }

  it("compares the reader's own texts, even if there are fewer than workers", async () => {
    const texts = { a: 'We the people of the United States', b: 'we the People of the world', empty: '' }
    await using folder = await folderWith(texts)
    const args = ['--texts', folder.path, '--size', '2', '--workers', '4']
    const result = await documentOf<Measured & { top: unknown[]; tooShort: unknown[] }>('similarity', ...args)
    expectMeasured(result, 4)
    expect(await readFile(result.picture, 'utf8')).toMatch(/^<svg /)
    // 4 of 7: we the, the people, people of, of the | the united, united states | the world.
    expect(result).toMatchObject({ documents: 3, pairs: 3, tooShort: [{ file: 'empty.txt' }] })
    expect(result.top).toEqual([
      { a: { file: 'a.txt' }, b: { file: 'b.txt' }, score: 4 / 7 },
      { a: { file: 'a.txt' }, b: { file: 'empty.txt' }, score: 0 },
      { a: { file: 'b.txt' }, b: { file: 'empty.txt' }, score: 0 },
    ])
    const { code, stderr } = await runHere(similarity, '--growth', '--texts', folder.path)
    expect({ code, stderr }).toEqual({
      code: 2,
      stderr: 'error: --growth: received "3 texts"; accepts 200 texts or more\n',
    })
  })

  it('measures how the time grows with the number of texts', async () => {
    const texts = Object.fromEntries(Array.from({ length: 200 }, (_, at) => [at, `text number ${at} of two hundred`]))
    await using folder = await folderWith(texts)
    const args = ['--growth', '--texts', folder.path, '--workers', '1']
    const { growth } = await quickly<{ growth: Grown }>(similarity, ...args)
    for (const points of Object.values(growth.ways)) {
      expect(points.map(({ size }) => size)).toEqual([2, 6, 20, 60, 200])
    }
    expect(await readFile(growth.picture, 'utf8')).toContain(`slope ${growth.serialSlope.toFixed(2)}`)
  })

  it('compares texts in any language, and names those in which it finds no words', async () => {
    const russian = 'Быстрая коричневая лиса перепрыгивает через ленивую собаку и бежит дальше в лес.'
    const chinese = '我们在北京学习计算机，以后还要学习分布式计算。'
    const thai = 'ภาษาไทยไม่มีช่องว่างระหว่างคำ'
    await using folder = await folderWith({
      'ru-1': russian,
      // Another spelling of the same letters.
      'ru-2': russian.normalize('NFD').toUpperCase(),
      'ru-3': 'Совсем другой текст про вычисления на многих машинах сразу и про их ошибки.',
      'th-1': thai,
      'th-2': thai,
      'zh-1': chinese,
      'zh-2': chinese,
      ...Object.fromEntries(Array.from({ length: 6 }, (_, at) => [`zz-${at}`, `${'12 + '.repeat(at + 9)} = ?`])),
    })
    const { stdout } = await runHere(similarity, '--quick', '--texts', folder.path, '--workers', '1')
    const found = [...stdout.matchAll(/^ (\S+\.txt) +(\S+\.txt) +([\d.]+) % $/gm)].map(([, ...row]) => row)
    expect(found.filter(([, , score]) => score !== '0.0')).toEqual([
      ['ru-1.txt', 'ru-2.txt', '100.0'],
      ['th-1.txt', 'th-2.txt', '100.0'],
      ['zh-1.txt', 'zh-2.txt', '100.0'],
    ])
    expect(stdout).toMatch(/^ 78 pairs +share +1 thread +1 on the pool +speedup $/m)
    expect(stdout).toMatch(/on 1 thread; this machine's ceiling is \d+\.\d\d×/)
    expect(stdout).toMatch(/^Picture: .*similarity\.svg$/m)
    const shortest = [0, 1, 2, 3, 4].map((at) => `zz-${at}.txt`).join(', ')
    expect(stdout).toContain(`Of fewer than 3 words, so that their score is always 0: ${shortest} and 1 more.`)
  })
})

it('mandelbrot draws the same pixels with three workers as one thread alone', async () => {
  const size = { width: 160, height: 100, iterations: 500 }
  const args = Object.entries(size).flatMap(([name, value]) => [`--${name}`, String(value)])
  const result = await documentOf<Measured & { sha256: string }>('mandelbrot', ...args, '--workers', '3')
  expectMeasured(result, 3)
  expect(result).toMatchObject(costOf(result.serialMs, [{ workers: 3, ms: result.parallelMs }]))
  const alone = drawing({ ...size, centerX: -0.743643, centerY: 0.131825, zoom: 500 })
  for (const tile of tilesOf(size, 64)) drawTile(alone, tile)
  expect(result.sha256).toBe(createHash('sha256').update(alone.pixels).digest('hex'))
})

it('pool says what tables of many lines amount to', () => {
  const lengths = [
    { task: 'empty', cost: 'not up to 2' },
    { task: 'fib(15)', cost: 2 },
  ]
  expect(pool.figure({ ratioToPiscina: 1.18, lengths } as Parameters<typeof pool.figure>[0])).toBe(
    "our pool does 118 % of piscina's empty tasks per second; COST 2 from tasks like fib(15)",
  )
})
