import { mkdir, readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { writeWhole } from '../../src/output/whole-file.ts'
import { temporaryFolder } from '../../src/process/temporary.ts'

it('a file may have the longest name, and replaces an older one', async () => {
  await using folder = await temporaryFolder()
  const file = join(folder.path, 'new', '-'.repeat(255))
  for (const content of ['old', 'new']) await writeWhole(file, content)
  expect(await readFile(file, 'utf8')).toBe('new')
  expect(await readdir(join(folder.path, 'new'))).toEqual(['-'.repeat(255)])
})

it('a file that cannot be written leaves nothing', async () => {
  await using folder = await temporaryFolder()
  await mkdir(join(folder.path, 'taken'))
  await expect(writeWhole(join(folder.path, 'taken'), 'x')).rejects.toThrow('EISDIR')
  expect(await readdir(folder.path)).toEqual(['taken'])
})
