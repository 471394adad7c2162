/** The bench as a reader runs it: what it refuses before it measures anything, and what it leaves beside its results. */
import { existsSync } from 'node:fs'
import { readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { temporaryFolder } from '@repo/common/process/temporary'
import { runHere } from '@repo/common/testing/run-here'
import { runExample } from '@repo/common/testing/testing'
import { describe, expect, it } from 'vitest'
import example from '../../examples/suites.ts'
import { whenAndWhere } from '../../src/harness/report.ts'
import { newResults, type Results } from '../../src/harness/results.ts'

const bench = fileURLToPath(new URL('../..', import.meta.url))
const few = ['--quick', '--only', 'call,microtask,message,batch']

describe('the bench', () => {
  it('measures, keeps every sample, and finds no difference to itself', async () => {
    await using folder = await temporaryFolder()
    const first = await runExample(bench, 'suites', ['ladder', ...few, '--json', '--results', folder.path])
    expect(first, first.stderr).toMatchObject({ code: 0 })
    const { file, suites } = first.json<Results & { file: string }>()
    const rows = suites.ladder?.rows ?? []
    expect(rows.map(({ id }) => id)).toEqual(['call', 'microtask', 'message', 'batch'])
    for (const { failed, samples, beside } of rows) {
      expect(failed).toBeUndefined()
      for (const metric of ['aloneNs', 'togetherNs']) {
        expect(samples[metric]).toHaveLength(5)
        expect(beside[metric]).toHaveLength(5)
      }
    }
    expect(JSON.parse(await readFile(file, 'utf8')).suites).toEqual(suites)
    expect(await first.leftBehind()).toEqual([])
    const base = file.replace(/\.json$/, '')
    expect(await readFile(`${base}.md`, 'utf8')).toMatch(/^# Bench, .*[\s\S]*\| a message to a thread \| /)
    expect(await readFile(`${base}-ladder.svg`, 'utf8')).toContain('a message to a thread')

    // The same samples again, as those of a run of today, so that no noise decides this test.
    const { rows: again } = await import('../../src/harness/report.ts').then(async ({ against }) =>
      against((await import('../../src/ladder/suite.ts')).ladder, rows, rows, 'before'),
    )
    expect(again).toEqual([])
  })

  it('says when it is compared with a run on another machine', () => {
    const run = { ...newResults(true), at: '2026-11-30T10:00:00.000Z' }
    const { machine } = run
    expect(whenAndWhere(run, machine)).toBe('2026-11-30')
    expect(whenAndWhere({ ...run, machine: { ...machine, node: '22.18.0' } }, machine)).toBe('2026-11-30, Node 22.18.0')
    const other = { ...machine, name: 'other', cores: 64, processor: 'EPYC', platform: 'linux x64' }
    expect(whenAndWhere({ ...run, machine: other }, machine)).toBe(
      '2026-11-30 on another machine, 64 cores of EPYC, linux x64',
    )
  })

  it.each([
    [['lader'], 'suite: received "lader"; accepts ladder, compute, text, storage, remote, hpc, engines, starting'],
    [['ladder', '--only', 'call,cal'], '--only: received "cal"; accepts call, microtask, '],
    [['ladder', '--only', ''], '--only: received ""; accepts '],
    [['ladder', '--against', 'package.json'], '--against: received '],
    [['ladder', '--rounds', '3'], 'option: received "--rounds"; accepts '],
  ])('refuses %j', async (argv, line) => {
    await using folder = await temporaryFolder()
    const { code, stdout, stderr } = await runHere(example, ...argv, '--results', folder.path)
    expect({ code, stdout, stderr }).toEqual({ code: 2, stdout: '', stderr: expect.stringMatching(/^error: .*\n$/) })
    expect(stderr).toContain(line)
    expect(await readdir(folder.path)).toEqual([])
  })

  it('says in one line that it cannot write, before it measures', async () => {
    await using folder = await temporaryFolder()
    await writeFile(join(folder.path, 'file'), '')
    const results = join(folder.path, 'file', 'results')
    const { code, stdout, stderr } = await runHere(example, 'ladder', ...few, '--results', results)
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' })
    expect(stderr).toMatch(/^error: .*results cannot be written: ENOTDIR.*\n$/)
    expect(existsSync(results)).toBe(false)
  })
})
