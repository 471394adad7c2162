import { fileURLToPath } from 'node:url'
import { runExample } from '@repo/common/testing/testing'
import { expect } from 'vitest'

const chapter = fileURLToPath(new URL('..', import.meta.url))

/** What an example prints. Where ways disagree or something is lost, the example fails by itself. */
export async function shownBy(name: string, ...args: string[]): Promise<string> {
  const run = await runExample(chapter, name, ['--quick', ...args])
  expect(run, run.stderr).toMatchObject({ code: 0, signal: null })
  expect(await run.leftBehind()).toEqual([])
  return run.stdout
}

/** The paths of the pictures that it names. */
export const pictures = (shown: string) => [...shown.matchAll(/^Picture: (.*)$/gm)].map(([, path = '']) => path)
