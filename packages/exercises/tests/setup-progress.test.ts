/** `npm run progress`: what is done in all chapters. It reads what `exercise` writes. */
import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { expect, it } from 'vitest'
import { z } from 'zod'
import { listExercises } from '../src/progress.ts'

const root = fileURLToPath(new URL('../../..', import.meta.url))
const run = (...args: string[]) => promisify(execFile)(process.execPath, [`${root}/setup/progress.mjs`, ...args])
const document = z.array(
  z.object({
    chapter: z.string(),
    exercises: z.array(z.object({ name: z.string(), passedAt: z.string().optional() })),
  }),
)

it('has the exercises of each chapter, as the chapter lists them', async () => {
  const chapters = document.parse(JSON.parse((await run('--json')).stdout))
  expect(chapters.length).toBeGreaterThanOrEqual(7)
  for (const { chapter, exercises } of chapters) {
    const listed = await listExercises(`${root}/chapters/${chapter}`)
    expect(exercises).toEqual(listed.map(({ name, passedAt }) => (passedAt ? { name, passedAt } : { name })))
    expect(exercises.length).toBeGreaterThanOrEqual(3)
  }
})

it('says how many are done, and what is next', async () => {
  expect((await run()).stdout).toMatch(
    /^01-intro +[■□]{3}.*\n(.+\n)+\d+ of \d+ done\. Next: pnpm --filter \S+ exercise\n$/,
  )
})

it('has help, and refuses what it does not know', async () => {
  expect((await run('--help')).stdout).toMatch(/^npm run progress/)
  await expect(run('--all')).rejects.toMatchObject({
    code: 2,
    stderr: 'error: option: received "--all"; accepts --json, --help\n',
  })
})
