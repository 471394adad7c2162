import { dirname } from 'node:path'
import { fileURLToPath } from 'node:url'
import { runExample } from '@repo/common/testing/testing'
import { expect } from 'vitest'

const chapter = dirname(fileURLToPath(new URL('.', import.meta.url)))

/** What an example prints for a reader, in a process that ends well and leaves nothing behind. */
export async function shownBy(name: string, ...args: string[]): Promise<string> {
  const run = await runExample(chapter, name, ['--quick', ...args])
  expect(run, run.stderr).toMatchObject({ code: 0, signal: null })
  expect(await run.leftBehind()).toEqual([])
  return run.stdout
}
