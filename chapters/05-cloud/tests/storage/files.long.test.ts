/** Every way in which a file may differ from what was sent, every name, and every mode. files.test.ts has one of each. */
import { appendFileSync, renameSync, statSync, truncateSync, utimesSync, writeFileSync } from 'node:fs'
import { readdir, readFile, truncate, writeFile } from 'node:fs/promises'
import { expect, it } from 'vitest'
import { uploadFile } from '../../src/storage/files.ts'
import { partSize } from '../../src/storage/parts.ts'
import { useFileTransfers } from '../fixtures/file-transfers.ts'

const { isRefusedAfter, travelsAs, keepsMode, ...transfers } = await useFileTransfers()
const { s3, bytes, target, withFile, interrupt, stored, replaceContent, unfinished } = transfers

it.each([
  ['all of it', 0, bytes, 0],
  ['one byte that was not sent yet', 2 * partSize, 1, 2],
])('an upload sends what a copy with the same size and time has changed: %s', async (_what, from, length, resumed) => {
  await withFile(async (path) => {
    await interrupt(path, 2)
    await replaceContent(path, from, Buffer.alloc(length, '#'))
    expect(await uploadFile(s3, target, path)).toMatchObject({ bytes, parts: 3, resumed })
    expect((await stored()).equals(await readFile(path))).toBe(true)
    expect(await unfinished()).toEqual([])
  })
})

it.each([
  ['of another size', (path: string) => writeFile(path, Buffer.alloc(partSize + 1, 'new'))],
  ['empty', (path: string) => truncate(path, 0)],
])('an upload begins anew when the file is %s, and leaves neither journal nor parts', async (_what, change) => {
  await withFile(async (path, folder) => {
    await interrupt(path, 1)
    await change(path)
    const content = await readFile(path)
    expect(await uploadFile(s3, target, path)).toMatchObject({ bytes: content.length, resumed: 0 })
    expect((await stored()).equals(content)).toBe(true)
    expect(await unfinished()).toEqual([])
    expect(await readdir(folder)).toEqual(['original'])
  })
})

const content = Buffer.alloc(bytes, 'new')

function replaceSync(path: string, content: Uint8Array | string) {
  writeFileSync(`${path}.new`, content)
  utimesSync(`${path}.new`, statSync(path).atime, statSync(path).mtime)
  renameSync(`${path}.new`, path)
}

it.each([
  ['is overwritten', (path: string) => writeFileSync(path, content)],
  ['shrinks to nothing', (path: string) => truncateSync(path, 0)],
  ['grows', (path: string) => appendFileSync(path, 'more')],
  ['is replaced', (path: string) => replaceSync(path, content)],
  ['is replaced by a shorter one', (path: string) => replaceSync(path, 'short')],
])('a file is refused when it %s while it is sent', async (_how, change) => await isRefusedAfter(change))

it.each(['名'.repeat(80), 'n'.repeat(255)])('a file called %j travels there and back', travelsAs)

it.skipIf(process.platform === 'win32').each([0o600, 0o755])('permissions travel with a file: %o', keepsMode)
