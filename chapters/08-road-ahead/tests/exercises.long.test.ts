/** The chapter's exercises: gaps and wrong answers are caught, each with its sentence, and solutions hold. */
import { basename, join } from 'node:path'
import { exerciseFolders } from '@repo/exercises/progress'
import { prove } from '@repo/exercises/proof'
import { expect, it } from 'vitest'

const folders = exerciseFolders(join(import.meta.dirname, '..'))

it.each(folders.map((folder) => [basename(folder), folder]))('exercise %s', async (_, folder) => {
  expect(await prove(folder)).toEqual([])
})
