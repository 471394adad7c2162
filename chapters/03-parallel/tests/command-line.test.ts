/** The command line of every example: help, wrong options, Ctrl-C, workers that fail. */
import { chmod, mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { temporaryFolder } from '@repo/common/process/temporary'
import { abortHere, runHere } from '@repo/common/testing/run-here'
import { runExample } from '@repo/common/testing/testing'
import { describe, expect, it } from 'vitest'
import chunking from '../examples/chunking.ts'
import currency from '../examples/currency.ts'
import fib from '../examples/fib.ts'
import futures from '../examples/futures.ts'
import mandelbrot from '../examples/mandelbrot.ts'
import oversubscribe from '../examples/oversubscribe.ts'
import pool from '../examples/pool.ts'
import queues from '../examples/queues.ts'
import similarity from '../examples/similarity.ts'
import sort from '../examples/sort.ts'

const chapter = fileURLToPath(new URL('..', import.meta.url))
const examples = { currency, fib, futures, queues, sort, pool, chunking, oversubscribe, similarity, mandelbrot }

describe.each(Object.entries(examples))('%s', (name, example) => {
  it('explains itself', async () => {
    const { code, stdout } = await runHere(example, '--help')
    expect(code).toBe(0)
    expect(stdout).toMatch(
      new RegExp(`^${name}: .*\\n[^]*pnpm --filter 03-parallel start ${name}\\n[^]*Usage: ${name} `),
    )
  })
})

it.each<[keyof typeof examples, ...string[]]>([
  ['currency', '--pairs', '0'],
  ['currency', '--latency', '-1'],
  ['fib', '--n', '46'],
  ['fib', '--python-n', 'ten'],
  ['futures', '--n', '1e9'],
  ['queues', '--capacity', '1000'],
  ['queues', '--producers', '0'],
  ['queues', '--items', 'NaN'],
  ['sort', '--numbers', '0'],
  ['sort', '--numbers', '9999999999'],
  ['sort', '--type', 'int64'],
  ['sort', '--input', 'sideways'],
  ['pool', '--tasks', '1'],
  ['pool', '--workers', '65'],
  ['chunking', '--chunk', '0'],
  ['chunking', '--limit', '1e12'],
  ['oversubscribe', '--requests', '0'],
  ['oversubscribe', '--cores', '4'],
  ['similarity', '--workers', '0'],
  ['similarity', '--workers', '-1'],
  ['similarity', '--workers', '1e9'],
  ['similarity', '--workers', 'abc'],
  ['similarity', '--size', '0'],
  ['similarity', '--size', '1.5'],
  ['similarity', '--sice', '3'],
  ['similarity', '--texts', '/no/such/folder'],
  ['similarity', '--texts', fileURLToPath(import.meta.url)],
  ['similarity', 'more', ''],
  ['mandelbrot', '--width', '0'],
  ['mandelbrot', '--height', '1e9'],
  ['mandelbrot', '--iterations', '-1'],
  ['mandelbrot', '--workers', '0'],
  ['mandelbrot', '--center', '1'],
  ['mandelbrot', '--center', 'a,b'],
  ['mandelbrot', '--zoom', '0'],
  ['mandelbrot', '--zoom', 'NaN'],
])('%s refuses %s %s in one line', async (name, ...args) => {
  const { code, stdout, stderr } = await runHere(examples[name], ...args)
  expect({ code, stdout }).toEqual({ code: 2, stdout: '' })
  expect(stderr).toMatch(/^error: .*received .*; accepts [^\n]+\n$/)
})

it('a wrong option ends a process with exit code 2', async () => {
  const { code, stdout, stderr } = await runExample(chapter, 'futures', ['--n', '1e9'])
  expect({ code, stdout }).toEqual({ code: 2, stdout: '' })
  expect(stderr).toMatch(/^error: --n: received "1e9"; accepts [^\n]+\n$/)
})

it('similarity refuses folders without two readable texts in one line', async () => {
  await using folder = await temporaryFolder()
  const texts = join(folder.path, 'texts')
  await mkdir(texts)
  const refused = async () => {
    const { code, stderr } = await runHere(similarity, '--texts', texts)
    expect({ code, lines: stderr.trimEnd().split('\n').length }).toEqual({ code: 2, lines: 1 })
    return stderr
  }
  expect(await refused()).toContain('it holds no .txt files')
  await writeFile(join(texts, 'one.txt'), 'one')
  expect(await refused()).toContain('it holds 1 .txt file')
  await writeFile(join(texts, 'two.txt'), Buffer.from([0xff, 0x00, 0xfe]))
  expect(await refused()).toContain('two.txt is not UTF-8 text')
  await chmod(join(texts, 'two.txt'), 0o000)
  // Root may read everything, so this process becomes nobody for a moment.
  const isRoot = process.geteuid?.() === 0
  await chmod(folder.path, 0o755)
  if (isRoot) process.seteuid?.(65_534)
  try {
    await expect(similarity.run({ texts })).rejects.toThrow('two.txt may not be read')
  } finally {
    if (isRoot) process.seteuid?.(0)
  }
})

describe('an interrupted example', () => {
  it.each([
    ['currency', () => abortHere(currency)],
    ['fib', () => abortHere(fib)],
    ['futures', () => abortHere(futures)],
    ['queues', () => abortHere(queues)],
    ['sort', () => abortHere(sort, { numbers: 1_000_000 })],
    ['pool', () => abortHere(pool)],
    ['chunking', () => abortHere(chunking)],
    ['oversubscribe', () => abortHere(oversubscribe)],
    ['similarity', () => abortHere(similarity)],
    ['mandelbrot', () => abortHere(mandelbrot)],
  ])('stops, and leaves nothing open: %s', async (_, abort) => {
    expect(await abort()).toBeInstanceOf(Error)
  })

  // A pool of our own, which is disposed of; threads that block in a ring, and processes.
  it.each([
    // Tasks that take much longer than it may take this process to read that they have begun.
    ['futures', 'in the middle of a task', /waited 1 ms/, ['--n', '44']],
    ['queues', 'at its start', /consumer process/, []],
  ])('ends with 130 at Ctrl-C: %s, %s', async (name, _, interruptWhen, args) => {
    const stopped = await runExample(chapter, name, args, { interruptWhen })
    expect({ code: stopped.code, error: /error.*/.exec(stopped.stderr)?.[0] }).toEqual({ code: 130, error: undefined })
    expect(await stopped.leftBehind()).toEqual([])
  })
})

it('an example reports a failing worker with its cause and exit code 1', async () => {
  // The workers of its pool fail at their start.
  const env = { NODE_OPTIONS: `--import=${new URL('./fixtures/failing-workers.mjs', import.meta.url)}` }
  const failed = await runExample(chapter, 'mandelbrot', ['--width', '64', '--height', '64'], { env })
  expect(failed.code).toBe(1)
  expect(failed.stderr).toMatch(/^error: .*a bug in the worker$/m)
  expect(await failed.leftBehind()).toEqual([])
})
