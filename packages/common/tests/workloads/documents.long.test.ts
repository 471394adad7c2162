import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { temporaryFolder } from '../../src/process/temporary.ts'
import { mostDocuments, readDocuments } from '../../src/workloads/documents.ts'

it('the documents of a folder are 20,000 files at most', async () => {
  await using folder = await temporaryFolder()
  for (let file = 0; file < mostDocuments; file++) writeFileSync(join(folder.path, `${file}.txt`), 'text')
  expect(readDocuments(folder.path)).toHaveLength(mostDocuments)
  writeFileSync(join(folder.path, 'more.txt'), 'text')
  expect(() => readDocuments(folder.path)).toThrow(new Error('it holds 20001 .txt files'))
})
