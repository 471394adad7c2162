import { existsSync } from 'node:fs'
import { readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { expect, it } from 'vitest'
import { changeProgress, listExercises, readProgress } from '../src/progress.ts'
import { chapterWith } from './chapter.ts'

it('is remembered for each exercise', async () => {
  await using chapter = await chapterWith({ two: { 'README.md': '# The second\n' }, one: {} })
  expect(await listExercises(chapter.path)).toEqual([
    { name: 'one', title: 'A number', passedAt: undefined, hints: 0 },
    { name: 'two', title: 'The second', passedAt: undefined, hints: 0 },
  ])
  await changeProgress(chapter.file('two'), { hints: 1 })
  await changeProgress(chapter.file('two'), { passedAt: '2026-01-02T03:04:05.678Z' })
  expect((await listExercises(chapter.path))[1]).toMatchObject({ hints: 1, passedAt: '2026-01-02T03:04:05.678Z' })
  expect(await readdir(chapter.file())).toEqual(['one', 'two'])
})

it('is not lost when several exercises end at the same time', async () => {
  const names = Array.from({ length: 20 }, (_, at) => `exercise-${at}`)
  await using chapter = await chapterWith(Object.fromEntries(names.map((name) => [name, {}])))
  await Promise.all(names.map((name) => changeProgress(chapter.file(name), { passedAt: '2026-01-02T03:04:05.678Z' })))
  expect((await listExercises(chapter.path)).filter(({ passedAt }) => passedAt === undefined)).toEqual([])
})

it.each([
  ['cut off', '{ "passedAt": '],
  ['empty', ''],
  ['of another kind', '{ "passedAt": "yesterday" }'],
  ['a list', '[]'],
])('begins anew when its file is %s, and keeps that file', async (_, text) => {
  await using chapter = await chapterWith({ one: {} })
  const [folder, file] = [chapter.file('one'), chapter.file('one', '.progress.json')]
  await writeFile(file, text)
  expect(await readProgress(folder)).toEqual({ hints: 0 })
  expect(existsSync(file)).toBe(false)
  expect(await readFile(`${file}.damaged`, 'utf8')).toBe(text)
  await changeProgress(folder, { hints: 2 })
  expect(await readProgress(folder)).toEqual({ hints: 2 })
})

it('knows no exercises where there are none, and lists one without a README', async () => {
  await using chapter = await chapterWith({})
  expect(await listExercises(chapter.path)).toEqual([])
  await using other = await chapterWith({ one: {} })
  await rm(other.file('one', 'README.md'))
  expect(await listExercises(other.path)).toMatchObject([{ name: 'one', title: 'one' }])
})
