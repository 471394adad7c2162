/** The file of results: its name, its form, and what happens where it cannot be written. */
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises'
import { hostname } from 'node:os'
import { join } from 'node:path'
import { temporaryFolder } from '@repo/common/process/temporary'
import { afterEach, expect, it, vi } from 'vitest'
import { newResults, placeFor, readResults, writeBeside, writeResults } from '../../src/harness/results.ts'
import { newRow } from '../../src/harness/suite.ts'

afterEach(() => void vi.unstubAllEnvs())

it('is named after the day and the machine, without its host name, and replaces none', async () => {
  await using folder = await temporaryFolder()
  const results = newResults(true)
  const place = await placeFor(results, join(folder.path, 'new'))
  expect(place).toMatch(/[\\/]new[\\/]\d{4}-\d\d-\d\d-[0-9a-f]{6}-\d+-\w+$/)
  expect(JSON.stringify(results)).not.toContain(hostname())
  await writeResults(`${place}.json`, results)
  expect(await placeFor(results, join(folder.path, 'new'))).toBe(`${place}-2`)
  // The trial is gone.
  expect(await readdir(join(folder.path, 'new'))).toHaveLength(1)
})

it('is read as it was written', async () => {
  await using folder = await temporaryFolder()
  const file = join(folder.path, 'results.json')
  const row = { ...newRow('a', 'A'), samples: { ms: [1, 2] }, beside: { ms: [1, 1] }, figures: { lost: 0, why: null } }
  const results = { ...newResults(false), suites: { ladder: { rows: [row] } } }
  await writeResults(file, results)
  expect(await readResults('--against', file, false)).toEqual(results)
  await expect(readResults('--against', file, true)).rejects.toThrow(/received ".* of a full run"; accepts .*--quick/)
})

it.each([
  ['no file', undefined],
  ['no JSON', 'hello'],
  ['another form', '{"form": "bench 0"}'],
  ['half a file', '{"form": "bench 1", "at": "2026-11-30T00:00:00.000Z"'],
  [
    'samples that are no numbers',
    '{"form":"bench 1","at":"","quick":false,"machine":{},"suites":{"ladder":{"rows":[{}]}}}',
  ],
])('refuses %s', async (_, content) => {
  await using folder = await temporaryFolder()
  const file = join(folder.path, 'earlier.json')
  if (content !== undefined) await writeFile(file, content)
  const error = readResults('--against', file, false)
  await expect(error).rejects.toThrow(/^--against: received ".*earlier\.json"; accepts a file that/)
})

it('cannot be written below a file, nor over a folder: one line, and what was there stays', async () => {
  await using folder = await temporaryFolder()
  const file = join(folder.path, 'file')
  await writeFile(file, 'mine')
  await expect(placeFor(newResults(false), join(file, 'results'))).rejects.toThrow(
    /file.results: results cannot be written$/,
  )
  await mkdir(join(folder.path, 'taken.svg'))
  await expect(writeBeside('samples.json', join(folder.path, 'taken.svg'), 'new')).rejects.toThrow(
    /taken\.svg: results cannot be written; the samples are in samples\.json$/,
  )
  expect(await readFile(file, 'utf8')).toBe('mine')
  expect((await readdir(folder.path)).sort()).toEqual(['file', 'taken.svg'])
})

it('is in the temporary folder where its own place takes nothing more, if there is room', async () => {
  await using folder = await temporaryFolder()
  const taken = join(folder.path, 'taken.json')
  await mkdir(taken)
  const results = newResults(true)
  const write = () => writeResults(taken, results).then(String, (error: Error) => error.message)
  vi.stubEnv('TMPDIR', folder.path)
  const [, instead] =
    /taken\.json: results cannot be written; the samples are in (.*taken\.json)$/.exec(await write()) ?? []
  expect(await readResults('--against', instead ?? '', true)).toEqual(results)
  vi.stubEnv('TMPDIR', join(folder.path, 'missing'))
  expect(await write()).toMatch(/taken\.json: results cannot be written$/)
})
