import { truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { type TemporaryFolder, temporaryFolder } from '../../src/process/temporary.ts'
import { identityOf, readDocuments, titleOf } from '../../src/workloads/documents.ts'

/** Writes files `from` to below `to`. */
function fill({ path }: TemporaryFolder, from: number, to: number) {
  for (let file = from; file < to; file++) writeFileSync(join(path, `${file}.txt`), 'text')
}

describe('the documents', () => {
  it('are the addresses when no folder is given', () => {
    const [first] = readDocuments()
    expect(first && [identityOf(first), titleOf(first)]).toEqual([
      { year: 1790, name: 'George Washington' },
      '1790 George Washington',
    ])
  })

  it('of a folder are two files or more', async () => {
    await using folder = await temporaryFolder()
    const read = () => readDocuments(folder.path)
    expect(read).toThrow(new Error('it holds no .txt files'))
    fill(folder, 0, 1)
    expect(read).toThrow(new Error('it holds 1 .txt file'))
    fill(folder, 1, 2)
    expect(read()).toHaveLength(2)
    const [document] = read()
    expect(document && [identityOf(document), titleOf(document)]).toEqual([{ file: '0.txt' }, '0.txt'])
  })

  it('are refused before they are read if no string or no memory could hold them', async () => {
    await using folder = await temporaryFolder()
    fill(folder, 0, 5)
    // Files with holes take no space on the disk.
    truncateSync(join(folder.path, '0.txt'), 1e12)
    expect(() => readDocuments(folder.path)).toThrow(/^0\.txt has 1\.0 TB, and a text may have 537 MB$/)
    for (let file = 0; file < 5; file++) truncateSync(join(folder.path, `${file}.txt`), 5e8)
    expect(() => readDocuments(folder.path)).toThrow(
      /^its 2\.5 GB of text may take 45\.0 GB of memory, and [\d.]+ .B is free; all texts may have 2\.1 GB$/,
    )
  })
})
