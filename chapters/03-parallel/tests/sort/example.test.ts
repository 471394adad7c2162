/** The example in the test's own process: what it reports, and what it refuses. */
import { readFile } from 'node:fs/promises'
import type { Cost } from '@repo/common/cost'
import { runHere } from '@repo/common/testing/run-here'
import { expect, it } from 'vitest'
import sort from '../../examples/sort.ts'

interface Report extends Cost {
  serialMs: number
  radixMs: number
  typedArrayMs: number
  best: string
  runs: { workers: number; ms: number }[]
}

it('tells its speedup against the best sort on one thread', async () => {
  const args = ['--quick', '--json', '--numbers', '40000', '--type', 'float32', '--workers', '2']
  const report = (await runHere(sort, ...args)).json<Report>()
  expect(report).toMatchObject({ numbers: 40_000, type: 'float32', sorted: true, bestSerialMs: report.serialMs })
  expect(report.best).toBe(report.radixMs <= report.typedArrayMs ? 'radix sort' : 'TypedArray.sort')
  expect(report.runs.map(({ workers }) => workers)).toEqual([1, 2])
  const beaten = report.runs.slice(1).find(({ ms }) => ms < report.serialMs)
  expect(report.cost).toBe(beaten?.workers ?? 'not up to 2')
})

it('sorts fewer numbers than there are workers, and draws how its time grows', async () => {
  const { stdout } = await runHere(sort, '--quick', '--numbers', '2', '--workers', '3', '--growth')
  expect(stdout).toMatch(/^ parallel radix sort +3 /m)
  expect(stdout).toMatch(/^COST in workers: .*the best plain program on one thread takes /m)
  expect(stdout).toContain('All results are equal, number by number.')
  const [, picture = ''] = /^Picture: (.*sort-growth\.svg)$/m.exec(stdout) ?? []
  expect(await readFile(picture, 'utf8')).toContain('Sorting numbers of type int32')
})

it('refuses what does not fit into the memory, and says what it would need', async () => {
  const { code, stderr } = await runHere(sort, '--numbers', '2147483647', '--type', 'float64')
  expect(code).toBe(2)
  expect(stderr).toMatch(
    /^error: --numbers: received "2147483647"; accepts at most \d+ of type float64 here: 2147483647 need 85\.9 GB, and [\d.]+ [MG]B is free$/m,
  )
})
