/** What a reader has done, in a file of their own clone that git ignores: `exercises/.progress.json` of each chapter. */
import { existsSync, readdirSync } from 'node:fs'
import { readFile, rename } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { writeWhole } from '@repo/common/output/whole-file'
import { z } from 'zod'

const schema = z.record(
  z.string(),
  z.object({ passedAt: z.iso.datetime().optional(), hints: z.number().int().min(0).default(0) }),
)
export type Progress = z.infer<typeof schema>

/** An exercise of a chapter, without loading its checker. */
export interface Listed {
  name: string
  title: string
  /** Whether it once held. */
  passedAt: string | undefined
  hints: number
}

const fileOf = (chapter: string) => join(chapter, 'exercises', '.progress.json')

/** Reads what was done. A file that is damaged is kept under another name, and nothing was done. */
export async function readProgress(chapter: string): Promise<Progress> {
  const file = fileOf(chapter)
  if (!existsSync(file)) return {}
  try {
    return schema.parse(JSON.parse(await readFile(file, 'utf8')))
  } catch {
    await rename(file, `${file}.damaged`)
    return {}
  }
}

/** Changes what is known of one exercise. */
export async function changeProgress(chapter: string, name: string, change: Partial<Progress[string]>): Promise<void> {
  const progress = await readProgress(chapter)
  progress[name] = { ...(progress[name] ?? { hints: 0 }), ...change }
  await writeWhole(fileOf(chapter), `${JSON.stringify(progress, null, 2)}\n`)
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
  const progress = await readProgress(chapter)
  return await Promise.all(
    exerciseFolders(chapter).map(async (folder) => {
      const name = basename(folder)
      const readme = await readFile(join(folder, 'README.md'), 'utf8').catch(() => '')
      const title = /^# (.+)$/m.exec(readme)?.[1] ?? name
      return { name, title, passedAt: progress[name]?.passedAt, hints: progress[name]?.hints ?? 0 }
    }),
  )
}
