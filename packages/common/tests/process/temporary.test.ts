import { existsSync } from 'node:fs'
import { stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { temporaryFolder } from '../../src/process/temporary.ts'

it('makes a folder that belongs to this user alone, and removes it with its contents', async () => {
  const folder = await temporaryFolder()
  if (process.platform !== 'win32') expect((await stat(folder.path)).mode & 0o777).toBe(0o700)
  await writeFile(join(folder.path, 'data'), 'x')
  await folder[Symbol.asyncDispose]()
  await folder[Symbol.asyncDispose]()
  expect(existsSync(folder.path)).toBe(false)
})
