/** Examples once more, in another way than the shorter tests. */
import { readFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { type Cost, costOf } from '@repo/common/cost'
import type { Speedup } from '@repo/common/measure'
import { runHere } from '@repo/common/testing/run-here'
import { runExample } from '@repo/common/testing/testing'
import { decode } from 'fast-png'
import { afterEach, expect, it, vi } from 'vitest'
import fib from '../examples/fib.ts'
import { mostSimilar } from './fixtures/most-similar.ts'

const chapter = fileURLToPath(new URL('..', import.meta.url))

afterEach(() => {
  vi.unstubAllEnvs()
})

it('fib does without Python if it is not installed, and finds the same efficiency in its figures', async () => {
  vi.stubEnv('PATH', '/nowhere')
  const result = (await runHere(fib, '--quick', '--json', '--n', '15')).json<{
    rows: { k: number; ms: Record<string, number> }[]
    two: { workers: number; parallelMs: number; speedup: number; ceiling: number; efficiency: number }
    bestSerialMs: number
    sizes: { n: number; ms: number; bestSerialMs: number }[]
    python: null
  }>()
  expect(result.python).toBeNull()
  expect(result.rows.map(({ k }) => k).slice(0, 2)).toEqual([1, 2])
  for (const { ms } of result.rows) {
    expect(Object.keys(ms)).toEqual(['main thread', 'worker_threads', 'piscina pool', 'child processes'])
  }
  const { workers, parallelMs: ms } = result.two
  expect(result).toMatchObject(costOf(result.bestSerialMs, [{ workers, ms }]))
  expect(result.sizes.map(({ n }) => n)).toEqual([10, 15, 20, 30])
  for (const { ms, ...size } of result.sizes) expect(size).toMatchObject(costOf(size.bestSerialMs, [{ workers, ms }]))
  expect(result.two.efficiency).toBeCloseTo(result.two.speedup / result.two.ceiling, 6)
})

it('similarity finds the five most similar pairs of addresses, says what each phase takes, and draws them all', async () => {
  const run = await runExample(chapter, 'similarity', ['--quick', '--json', '--workers', '2'])
  expect(run, run.stderr).toMatchObject({ code: 0, signal: null })
  expect(await run.leftBehind()).toEqual([])
  const result = run.json<Speedup & Cost & { top: { score: number }[]; phases: { share: number }[]; picture: string }>()
  expect(result.speedup).toBeCloseTo(result.serialMs / result.parallelMs, 6)
  expect(result).toMatchObject({ documents: 233, pairs: 27_028, size: 3, tooShort: [], top: mostSimilar })
  expect(result.bestSerialMs).toBe(result.serialMs)
  expect([1, 2, 'not up to 2']).toContain(result.cost)
  expect(result.phases).toHaveLength(5)
  const shares = result.phases.map(({ share }) => share)
  expect(shares.every((share) => share > 0 && share < 1)).toBe(true)
  const svg = await readFile(result.picture, 'utf8')
  const png = decode(Buffer.from(/base64,([^"]+)/.exec(svg)?.[1] ?? '', 'base64'))
  expect(png).toMatchObject({ width: 233, height: 233 })
})

// A pool whose tasks have the signal; threads that block in a ring, and processes.
it.each([
  ['mandelbrot', /drawing, .*%/],
  ['queues', /Through the ring went/],
])('%s ends with 130 at Ctrl-C in the middle of its work', async (name, interruptWhen) => {
  const stopped = await runExample(chapter, name, [], { interruptWhen })
  expect({ code: stopped.code, error: /error.*/.exec(stopped.stderr)?.[0] }).toEqual({ code: 130, error: undefined })
  expect(await stopped.leftBehind()).toEqual([])
})
