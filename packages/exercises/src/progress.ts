/**
 * What a reader has done, in files of their own clone that git ignores: `.progress.json` in the folder of each exercise.
 * With one file for all of them, two checks at the same time could lose an update.
 */
import { existsSync, readdirSync } from 'node:fs'
import { readFile, rename } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { writeWhole } from '@repo/common/output/whole-file'
import { z } from 'zod'

const schema = z.object({ passedAt: z.iso.datetime().optional(), hints: z.number().int().min(0).default(0) })
export type Progress = z.infer<typeof schema>

/** An exercise of a chapter, without loading its checker. */
export interface Listed {
  name: string
  title: string
  /** Whether it once held. */
  passedAt: string | undefined
  hints: number
}

const fileOf = (folder: string) => join(folder, '.progress.json')

/** Reads what was done of an exercise. A file that is damaged is kept under another name, and nothing was done. */
export async function readProgress(folder: string): Promise<Progress> {
  const file = fileOf(folder)
  try {
    if (existsSync(file)) return schema.parse(JSON.parse(await readFile(file, 'utf8')))
  } catch {
    // Where nothing may be written, it stays.
    await rename(file, `${file}.damaged`).catch(() => {})
  }
  return { hints: 0 }
}

/** Changes what is known of an exercise. */
export async function changeProgress(folder: string, change: Partial<Progress>): Promise<void> {
  const progress = { ...(await readProgress(folder)), ...change }
  await writeWhole(fileOf(folder), `${JSON.stringify(progress, null, 2)}\n`)
}

/** Returns the folders of a chapter's exercises in the order of their names; none if it has no exercises. */
export function exerciseFolders(chapter: string): string[] {
  const folder = join(chapter, 'exercises')
  if (!existsSync(folder)) return []
  return readdirSync(folder, { withFileTypes: true })
    .filter((each) => each.isDirectory())
    .map(({ name }) => join(folder, name))
    .sort()
}

/** Returns the exercises of a chapter in the order of their names, with what was done. */
export async function listExercises(chapter: string): Promise<Listed[]> {
  return await Promise.all(
    exerciseFolders(chapter).map(async (folder) => {
      const name = basename(folder)
      const readme = await readFile(join(folder, 'README.md'), 'utf8').catch(() => '')
      const title = /^# (.+)$/m.exec(readme)?.[1] ?? name
      const { passedAt, hints } = await readProgress(folder)
      return { name, title, passedAt, hints }
    }),
  )
}
