/** The journal as a file: torn anywhere, damaged, or somebody's own. */
import { mkdir, readdir, readFile, symlink, writeFile } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { temporaryFolder } from '@repo/common/process/temporary'
import { describe, expect, it, vi } from 'vitest'
import {
  beginJournal,
  beside,
  continueJournal,
  journalOf,
  NoJournalError,
  readJournal,
  removeJournal,
} from '../../src/storage/journal.ts'
import type { StoredPart } from '../../src/storage/parts.ts'
import { openFiles } from '../fixtures/open-files.ts'

// Every disk that can be had without root has links, and space; exFAT has no links. Another file may have loaded the
// journal in this process.
const disk = vi.hoisted(() => {
  vi.resetModules()
  return { hasLinks: true, isFullFor: '' }
})
vi.mock(import('node:fs/promises'), async (original) => {
  const fs = await original()
  const link: typeof fs.link = async (from, to) => {
    if (!disk.hasLinks) throw Object.assign(new Error('EPERM: operation not permitted, link'), { code: 'EPERM' })
    await fs.link(from, to)
  }
  const full = () => Object.assign(new Error('ENOSPC: no space left on device'), { code: 'ENOSPC' })
  const open: typeof fs.open = async (...given) => {
    if (disk.isFullFor === 'the file') throw full()
    const file = await fs.open(...given)
    if (disk.isFullFor === 'its content') file.appendFile = () => Promise.reject(full())
    return file
  }
  return { ...fs, link, open }
})

const head = { bucket: 'b', key: 'ключ\n', id: 'u', partSize: 5, size: 11, mtimeMs: 1.5, metadata: { mode: '644' } }
const partOf = (number: number, etag = '"e"'): StoredPart => ({
  number,
  bytes: 5,
  etag,
  crc32: 'AAAAAA==',
  keepsCrc32: number !== 2,
})

async function write(path: string, ...parts: StoredPart[]) {
  await using journal = await beginJournal(path, head)
  for (const part of parts) await journal.add(part)
}

async function add(path: string, part: StoredPart) {
  await using journal = await continueJournal(path)
  await journal.add(part)
}

describe('a journal', () => {
  it('records the upload and its parts, and goes', async () => {
    await using folder = await temporaryFolder()
    const path = join(folder.path, 'data')
    expect(await readJournal(path)).toBeUndefined()
    await write(path, partOf(1), partOf(2))
    await expect(beginJournal(path, head)).rejects.toThrow('EEXIST')
    expect(await readdir(folder.path)).toEqual(['data.upload'])
    await add(path, partOf(3))
    // A part that was sent again counts as it is now.
    await add(path, partOf(1, '"new"'))
    expect(await readJournal(path)).toEqual({ head, parts: [partOf(1, '"new"'), partOf(2), partOf(3)] })
    await removeJournal(path)
    await removeJournal(path)
    expect(await readdir(folder.path)).toEqual([])
  })

  it('that is cut at any byte goes on from its last whole line', async () => {
    await using folder = await temporaryFolder()
    const path = join(folder.path, 'data')
    await write(path, partOf(1), partOf(2))
    const whole = await readFile(journalOf(path))
    const lines = [...whole.entries()].flatMap(([at, byte]) => (byte === 10 ? [at + 1] : []))
    for (let at = 0; at <= whole.length; at++) {
      await writeFile(journalOf(path), whole.subarray(0, at))
      if (at < (lines[0] ?? 0) - 1) {
        // No journal has its name before its first line is whole.
        await expect(readJournal(path)).rejects.toThrow(NoJournalError)
        continue
      }
      const kept = [partOf(1), partOf(2)].slice(0, Math.max(0, lines.filter((end) => end <= at).length - 1))
      expect(await readJournal(path)).toEqual({ head, parts: kept })
      await add(path, partOf(3))
      expect(await readJournal(path)).toEqual({ head, parts: [...kept, partOf(3)] })
      expect(await readFile(journalOf(path), 'utf8')).not.toContain('\n\n')
    }
  })

  it.each([
    'no JSON',
    '',
    'null',
    '{"number":1}',
    '{"number":0,"bytes":5,"etag":"e","crc32":"AAAAAA=="}',
    '{"number":9,"bytes":0,"etag":"e","crc32":"AAAAAA=="}',
    '{"number":9,"bytes":5,"etag":"","crc32":"AAAAAA=="}',
    '{"number":9,"bytes":5,"etag":"e","crc32":"A"}',
  ])('loses only the line %j', async (line) => {
    await using folder = await temporaryFolder()
    const path = join(folder.path, 'data')
    await write(path, partOf(1))
    await writeFile(journalOf(path), `${line}\n`, { flag: 'a' })
    await add(path, partOf(2))
    expect(await readJournal(path)).toEqual({ head, parts: [partOf(1), partOf(2)] })
  })

  it.each([
    'one line of text\n',
    'no end of line',
    '{"of":"another program"}',
    '{"bucket":"b","key":"k"}',
    '{"bucket":"b","key":"k"}\n',
    '{"bucket":"b" torn, and more\n',
    `${JSON.stringify({ ...head, size: 0 })}\n`,
    `${JSON.stringify({ ...head, partSize: 0 })}\n`,
    `${JSON.stringify({ ...head, id: '' })}\n`,
    `${JSON.stringify({ ...head, more: 1 })}\n`,
    '[1]\n',
    '\n',
    '',
    '{',
    '{"bucket":"',
  ])('is never taken for somebody’s own file with %j', async (content) => {
    await using folder = await temporaryFolder()
    const path = join(folder.path, 'data')
    await writeFile(journalOf(path), content)
    await expect(readJournal(path)).rejects.toThrow(
      `${journalOf(path)} is not the journal of an upload, and stays as it is: move it away`,
    )
    await expect(beginJournal(path, head)).rejects.toThrow('EEXIST')
    expect(await readFile(journalOf(path), 'utf8')).toBe(content)
  })

  it('gets its name on a disk without links too, and takes nobody else’s', async () => {
    await using folder = await temporaryFolder()
    const [path, own] = [join(folder.path, 'data'), join(folder.path, 'own')]
    await writeFile(journalOf(own), 'mine')
    disk.hasLinks = false
    try {
      await write(path, partOf(1))
      expect(await readJournal(path)).toEqual({ head, parts: [partOf(1)] })
      await expect(beginJournal(path, head)).rejects.toThrow('EPERM')
      await expect(beginJournal(own, head)).rejects.toThrow(NoJournalError)
    } finally {
      disk.hasLinks = true
    }
    expect(await readJournal(path)).toEqual({ head, parts: [partOf(1)] })
    expect(await readFile(journalOf(own), 'utf8')).toBe('mine')
    expect((await readdir(folder.path)).sort()).toEqual(['data.upload', 'own.upload'])
  })

  it.skipIf(process.platform === 'win32')('that cannot be read for another reason says it', async () => {
    await using folder = await temporaryFolder()
    const path = join(folder.path, 'data')
    await symlink('data.upload', journalOf(path))
    await expect(readJournal(path)).rejects.toThrow('ELOOP')
  })

  it.skipIf(process.platform !== 'linux')('whose name is taken is closed', async () => {
    await using folder = await temporaryFolder()
    const path = join(folder.path, 'data')
    await writeFile(journalOf(path), 'mine')
    await expect(beginJournal(path, head)).rejects.toThrow('EEXIST')
    expect(await openFiles(folder.path)).toEqual([])
  })

  it.skipIf(process.platform !== 'linux').each(['the file', 'its content'])(
    'is neither left nor open where the disk has no space for %s',
    async (what) => {
      await using folder = await temporaryFolder()
      const path = join(folder.path, 'data')
      disk.isFullFor = what
      try {
        await expect(beginJournal(path, head)).rejects.toThrow(
          `${journalOf(path)} cannot be written: the disk is full (ENOSPC)`,
        )
      } finally {
        disk.isFullFor = ''
      }
      expect([await readdir(folder.path), await openFiles(folder.path)]).toEqual([[], []])
    },
  )

  it('of an earlier version, which says less, can be read', async () => {
    await using folder = await temporaryFolder()
    const path = join(folder.path, 'data')
    const [{ metadata: _, ...oldHead }, { keepsCrc32: __, ...oldPart }] = [head, partOf(1)]
    await writeFile(journalOf(path), `${JSON.stringify(oldHead)}\n${JSON.stringify(oldPart)}\n`)
    expect(await readJournal(path)).toEqual({ head: { ...oldHead, metadata: {} }, parts: [partOf(1)] })
  })

  it('is never taken for somebody’s own folder', async () => {
    await using folder = await temporaryFolder()
    await mkdir(journalOf(join(folder.path, 'data')))
    await expect(readJournal(join(folder.path, 'data'))).rejects.toThrow(NoJournalError)
  })
})

describe('the name of a file beside another one', () => {
  it('is its name and a suffix, or a hash where that would be too long', () => {
    expect(beside('/a/data', '.upload')).toBe('/a/data.upload')
    const longest = `/a/${'n'.repeat(248)}`
    expect(beside(longest, '.upload')).toBe(`${longest}.upload`)
    for (const path of [`${longest}n`, `/a/${'名'.repeat(84)}`]) {
      expect(dirname(beside(path, '.upload'))).toBe('/a')
      expect(basename(beside(path, '.upload'))).toMatch(/^[0-9a-f]{32}\.upload$/)
    }
    // However the way to the file is spelled.
    const name = 'n'.repeat(249)
    const spelled = ['', './', '/a/', '../'].map((way) => basename(beside(`${way}${name}`, '.upload')))
    expect(new Set(spelled).size).toBe(1)
    expect(beside(`${longest}n`, '.upload')).not.toBe(beside(`${longest}m`, '.upload'))
  })
})
