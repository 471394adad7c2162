import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { temporaryFolder } from '../../src/process/temporary.ts'
import { identityOf, mostDocuments, readDocuments, titleOf } from '../../src/workloads/documents.ts'

async function folderOf(files: number) {
  const folder = await temporaryFolder()
  for (let file = 0; file < files; file++) writeFileSync(join(folder.path, `${file}.txt`), 'text')
  return folder
}

describe('the documents', () => {
  it('are the addresses when no folder is given', () => {
    const [first] = readDocuments()
    expect(first && [identityOf(first), titleOf(first)]).toEqual([
      { year: 1790, name: 'George Washington' },
      '1790 George Washington',
    ])
  })

  it.each([
    [0, 'it holds no .txt files'],
    [1, 'it holds 1 .txt file'],
    [mostDocuments + 1, 'it holds 2001 .txt files'],
  ])('of a folder are not %i', async (files, message) => {
    await using folder = await folderOf(files)
    expect(() => readDocuments(folder.path)).toThrow(new Error(message))
  })

  it('of a folder are 2 to 2,000 files', async () => {
    for (const files of [2, mostDocuments]) {
      await using folder = await folderOf(files)
      const documents = readDocuments(folder.path)
      expect(documents).toHaveLength(files)
      expect([identityOf(documents[0] as never), titleOf(documents[0] as never)]).toEqual([{ file: '0.txt' }, '0.txt'])
    }
  })
})
