import { chmod, mkdir, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { temporaryFolder } from '@repo/common/process/temporary'
import fc from 'fast-check'
import { expect, it } from 'vitest'
import { InputError, inspect, longestLineBytes, spool } from '../../src/grep/input.ts'

const mebibyte = 1024 * 1024

it.each<[string, Buffer, string]>([
  ['a zero byte', Buffer.from('ab\0c'), 'it is binary: byte 2 is 0'],
  ['a zero byte far behind', Buffer.concat([Buffer.from('€\n'.repeat(mebibyte)), Buffer.of(0)]), 'byte 4194304 is 0'],
  ['Latin-1', Buffer.from('liberté', 'latin1'), 'it is not UTF-8'],
  ['half a character at the end', Buffer.from('é').subarray(0, 1), 'it is not UTF-8'],
  ['half a character in the middle', Buffer.from([0x61, 0xe2, 0x82, 0x0a]), 'it is not UTF-8'],
  ['too long a line', Buffer.from(`a\n${'a'.repeat(longestLineBytes + 1)}\na`), 'a line of more than 524 kB'],
  ['too long a line in many blocks', Buffer.alloc(5 * mebibyte, 'a'), 'a line of more than 524 kB'],
])('refuses %s', async (_, content, why) => {
  await using folder = await temporaryFolder()
  const file = join(folder.path, 'file')
  await writeFile(file, content)
  await expect(inspect(file)).rejects.toThrow(InputError)
  await expect(inspect(file)).rejects.toThrow(why)
})

it('says what is not a readable file', async () => {
  await using folder = await temporaryFolder()
  await expect(inspect(join(folder.path, 'missing'))).rejects.toThrow('it does not exist')
  await mkdir(join(folder.path, 'folder'))
  await expect(inspect(join(folder.path, 'folder'))).rejects.toThrow('it is a directory')
  await expect(inspect('/dev/null')).rejects.toThrow('it is not a regular file')
  const link = join(folder.path, 'link')
  await symlink(link, link)
  await expect(inspect(link)).rejects.toThrow(new InputError('it is a link that leads to itself'))
  await expect(inspect(join(folder.path, 'x'.repeat(300)))).rejects.toThrow(new InputError('its name is too long'))
  await expect(inspect('a\0b')).rejects.toThrow(/^it cannot be read: ERR_INVALID_ARG_VALUE$/)
})

it('is cancelled while the file is opened', async () => {
  await using folder = await temporaryFolder()
  const file = join(folder.path, 'file')
  await writeFile(file, 'war')
  const cancelling = new AbortController()
  const inspecting = inspect(file, cancelling.signal)
  cancelling.abort(new Error('enough'))
  await expect(inspecting).rejects.toThrow('enough')
})

it('says that a file may not be read', async () => {
  await using folder = await temporaryFolder()
  const file = join(folder.path, 'secret')
  await writeFile(file, 'war')
  await chmod(file, 0)
  const isRoot = process.getuid?.() === 0
  // Root may read everything: for a moment this process is nobody.
  if (isRoot) process.seteuid?.(65_534)
  try {
    await expect(inspect(file)).rejects.toThrow('it may not be read')
  } finally {
    if (isRoot) process.seteuid?.(0)
  }
})

it('accepts text of any characters, wherever the blocks cut them', async () => {
  await using folder = await temporaryFolder()
  const file = join(folder.path, 'file')
  for (const character of ['é', '€', '😀']) {
    for (let shift = 0; shift < 4; shift++) {
      // Its end is in the second block of a mebibyte.
      const line = `${character.repeat(1000)}\n`
      const text = 'a'.repeat(shift) + line.repeat(Math.ceil((1.1 * mebibyte) / Buffer.byteLength(line)))
      await writeFile(file, text)
      expect(await inspect(file)).toBe(Buffer.byteLength(text))
    }
  }
  await fc.assert(
    fc.asyncProperty(fc.string({ unit: 'binary' }), async (text) => {
      await writeFile(file, text.replaceAll('\0', ''))
      expect(await inspect(file)).toBe(Buffer.byteLength(text.replaceAll('\0', '')))
    }),
  )
})

it('accepts the longest line it promises', async () => {
  await using folder = await temporaryFolder()
  const file = join(folder.path, 'file')
  const text = `${'a'.repeat(longestLineBytes)}\n`.repeat(5)
  await writeFile(file, text)
  expect(await inspect(file)).toBe(text.length)
})

it('keeps a stream up to a bound', async () => {
  await using folder = await temporaryFolder()
  const file = join(folder.path, 'file')
  const { signal } = new AbortController()
  await spool(Readable.from([Buffer.from('war '), Buffer.from('peace')]), file, 9, signal)
  expect(await inspect(file)).toBe(9)
  await expect(spool(Readable.from([Buffer.alloc(10, 'a')]), file, 9, signal)).rejects.toThrow('it is longer than 9 B')
})
