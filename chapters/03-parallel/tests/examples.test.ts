/** Every example as a reader runs it. */
import { chmod, mkdir, readFile, stat, writeFile } from 'node:fs/promises'
import { availableParallelism } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Speedup } from '@repo/common/measure'
import { temporaryFolder } from '@repo/common/process/temporary'
import { runExample } from '@repo/common/testing/testing'
import { decode } from 'fast-png'
import { describe, expect, it } from 'vitest'
import similarity from '../examples/similarity.ts'

const chapter = fileURLToPath(new URL('..', import.meta.url))
const run = (name: string, ...args: string[]) => runExample(chapter, name, args)

/** Every worker of a pool fails at its start. */
const failingWorkers = { NODE_OPTIONS: `--import=${new URL('./fixtures/failing-workers.mjs', import.meta.url)}` }

type Measured = Speedup & { picture: string }

function expectMeasured(result: Measured, workers: number) {
  expect(result).toMatchObject({ workers, cores: availableParallelism() })
  expect(result.speedup).toBeCloseTo(result.serialMs / result.parallelMs, 6)
  expect(result.efficiency).toBeCloseTo(result.speedup / result.ceiling, 6)
  expect(result.parallelMs).toBeGreaterThan(0)
  expect(result.ceiling).toBeGreaterThan(0)
}

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

  it("compares the reader's own texts, also when there are fewer than workers", async () => {
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

  it.each([
    ['--workers', '0'],
    ['--workers', '-1'],
    ['--workers', '1e9'],
    ['--workers', 'abc'],
    ['--size', '0'],
    ['--size', '1.5'],
    ['--sice', '3'],
    ['--texts', '/no/such/folder'],
    ['--texts', fileURLToPath(import.meta.url)],
    ['more', ''],
  ])('refuses %s %s in one line', async (...args) => {
    const { code, stdout, stderr } = await run('similarity', ...args)
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' })
    expect(stderr).toMatch(/^error: .*received .*; accepts [^\n]+\n$/)
  })

  it('refuses folders without two readable texts in one line', async () => {
    await using folder = await temporaryFolder()
    const texts = join(folder.path, 'texts')
    await mkdir(texts)
    const refused = async () => {
      const { code, stderr } = await run('similarity', '--texts', texts)
      expect({ code, lines: stderr.trimEnd().split('\n').length }).toEqual({ code: 2, lines: 1 })
      return stderr
    }
    expect(await refused()).toContain('it holds no .txt files')
    await writeFile(join(texts, 'one.txt'), 'one')
    expect(await refused()).toContain('it holds 1 .txt file')
    await writeFile(join(texts, 'two.txt'), Buffer.from([0xff, 0x00, 0xfe]))
    expect(await refused()).toContain('two.txt is not UTF-8 text')
    await chmod(join(texts, 'two.txt'), 0o000)
    // Root may read everything: for a moment this process is nobody.
    const isRoot = process.geteuid?.() === 0
    await chmod(folder.path, 0o755)
    if (isRoot) process.seteuid?.(65_534)
    try {
      await expect(similarity.run({ texts })).rejects.toThrow('two.txt may not be read')
    } finally {
      if (isRoot) process.seteuid?.(0)
    }
  })

  it.each([/Comparing/, /comparing .*%/])(
    'stops at Ctrl-C, once it shows %s, and leaves no process behind',
    async (interruptWhen) => {
      const stopped = await runExample(chapter, 'similarity', [], { interruptWhen })
      expect(stopped.code).toBe(130)
      expect(stopped.stderr).not.toContain('error')
      expect(await stopped.leftBehind()).toEqual([])
    },
  )

  it('reports a failing worker with its cause and exit code 1', async () => {
    const failed = await runExample(chapter, 'similarity', ['--quick'], { env: failingWorkers })
    expect(failed.code).toBe(1)
    expect(failed.stderr).toMatch(/^error: .*a bug in the worker$/m)
    expect(await failed.leftBehind()).toEqual([])
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

  it('shows the whole set where one asks for it', async () => {
    const { code, stdout } = await run('mandelbrot', '--quick', '--center', '-0.75,0', '--zoom', '1')
    expect(code).toBe(0)
    expect(stdout).toMatch(/sha256 of the pixels: [0-9a-f]{64}\n/)
    const picture = /Picture: (.*)\n/.exec(stdout)?.[1] ?? ''
    expect((await stat(picture)).size).toBeGreaterThan(1_000)
  })

  it.each([
    ['--width', '0'],
    ['--height', '1e9'],
    ['--iterations', '-1'],
    ['--workers', '0'],
    ['--center', '1'],
    ['--center', 'a,b'],
    ['--zoom', '0'],
    ['--zoom', 'NaN'],
  ])('refuses %s %s in one line', async (...args) => {
    const { code, stdout, stderr } = await run('mandelbrot', ...args)
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' })
    expect(stderr).toMatch(/^error: .*received .*; accepts [^\n]+\n$/)
  })

  it.each([/Drawing/, /drawing, .*%/])(
    'stops at Ctrl-C, once it shows %s, and leaves no process behind',
    async (interruptWhen) => {
      const stopped = await runExample(chapter, 'mandelbrot', [], { interruptWhen })
      expect(stopped.code).toBe(130)
      expect(stopped.stderr).not.toContain('error')
      expect(await stopped.leftBehind()).toEqual([])
    },
  )

  it('reports a failing worker with its cause and exit code 1', async () => {
    const failed = await runExample(chapter, 'mandelbrot', ['--quick'], { env: failingWorkers })
    expect(failed.code).toBe(1)
    expect(failed.stderr).toMatch(/^error: .*a bug in the worker$/m)
  })
})
