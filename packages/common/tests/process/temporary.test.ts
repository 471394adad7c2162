import { existsSync } from 'node:fs'
import { rmdir, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, it, vi } from 'vitest'
import { temporaryFolder } from '../../src/process/temporary.ts'
import { leavesNothingRunning } from '../../src/testing/vitest.ts'

leavesNothingRunning()

it('makes a folder that belongs to this user alone, and removes it with its contents', async () => {
  const folder = await temporaryFolder()
  if (process.platform !== 'win32') expect((await stat(folder.path)).mode & 0o777).toBe(0o700)
  await writeFile(join(folder.path, 'data'), 'x')
  await folder[Symbol.asyncDispose]()
  await folder[Symbol.asyncDispose]()
  expect(existsSync(folder.path)).toBe(false)
})

it('is content when somebody has removed the folder', async () => {
  await using folder = await temporaryFolder()
  await rmdir(folder.path)
})

it('says that the folder for temporary files is missing', async ({ onTestFinished }) => {
  onTestFinished(() => void vi.unstubAllEnvs())
  vi.stubEnv('TMPDIR', '/not-there')
  await expect(temporaryFolder()).rejects.toMatchObject({
    message: 'no temporary folder can be made in /not-there; TMPDIR may name another place',
    cause: { code: 'ENOENT' },
  })
})
