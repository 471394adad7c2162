/** What a journal has after a restart, a torn write, damage, and on a disk that is full. */
import { existsSync } from 'node:fs'
import { readFile, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { temporaryFolder } from '@repo/common/process/temporary'
import { describe, expect, it } from 'vitest'
import { openJournal } from '../src/journal.ts'

/** Opens a journal, does something with it, closes it, and returns what it holds afterwards. */
async function withJournal(path: string, use: (save: (key: string, value: unknown) => Promise<void>) => unknown) {
  await using journal = await openJournal(path)
  await use(journal.save)
  return [...journal.values]
}
const read = (path: string) => withJournal(path, () => {})

describe('a journal', () => {
  it('has the newest value of each key after a restart, in the order of the first ones', async () => {
    await using folder = await temporaryFolder()
    const path = join(folder.path, 'node', 'journal')
    await withJournal(path, async (save) => {
      await save('term', 1)
      await save('vote', { for: 'ä' })
      await save('term', 2)
    })
    expect(await withJournal(path, (save) => save('term', 3))).toEqual([
      ['term', 3],
      ['vote', { for: 'ä' }],
    ])
    expect(await read(path)).toEqual([
      ['term', 3],
      ['vote', { for: 'ä' }],
    ])
  })

  it('writes once for all who wait, and nothing for a value that is there', async () => {
    await using folder = await temporaryFolder()
    const path = join(folder.path, 'journal')
    await withJournal(path, async (save) => {
      await Promise.all(['a', 'b', 'c', 'd'].map((key) => save(key, 1)))
      await save('d', 1)
    })
    // The first one does not know that others will follow.
    expect(
      (await readFile(path, 'utf8'))
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line.split(' ')[1] ?? '')),
    ).toEqual([
      [
        ['a', 1],
        ['b', 1],
        ['c', 1],
        ['d', 1],
      ],
    ])
  })
})

describe('damage', () => {
  async function saved(path: string): Promise<Buffer> {
    await withJournal(path, async (save) => {
      for (const value of [1, 2, 3]) await save('key', value)
    })
    return await readFile(path)
  }

  it('of the last line is what a crash leaves: the line is dropped, wherever it is torn', async () => {
    await using folder = await temporaryFolder()
    const path = join(folder.path, 'journal')
    const whole = await saved(path)
    const lastLine = whole.lastIndexOf('\n', whole.length - 2) + 1
    for (let length = lastLine; length < whole.length; length++) {
      await writeFile(path, whole.subarray(0, length))
      expect(await withJournal(path, (save) => save('other', length)), `${length} bytes`).toEqual([
        ['key', 2],
        ['other', length],
      ])
      expect(await read(path)).toEqual([
        ['key', 2],
        ['other', length],
      ])
    }
    // A file may have its new length, but not yet its content.
    for (const flipped of [lastLine, whole.length - 2]) {
      const bytes = Buffer.from(whole)
      bytes.writeUInt8(0, flipped)
      await writeFile(path, bytes)
      expect(await read(path)).toEqual([['key', 2]])
    }
  })

  it('of an earlier line is refused: what it held was promised', async () => {
    await using folder = await temporaryFolder()
    const path = join(folder.path, 'journal')
    const whole = await saved(path)
    const lines = String(whole).split('\n')
    for (const [at, damaged] of [
      [0, ''],
      [1, lines[1]?.slice(0, -1)],
      [1, lines[1]?.replace('2', '4')],
    ] as const) {
      await writeFile(path, lines.with(at, damaged ?? '').join('\n'))
      await expect(read(path)).rejects.toThrow(`${path}: line ${at + 1} is damaged, and it is not the last one`)
    }
  })

  it.runIf(existsSync('/dev/full'))('is not what a full disk leaves: nothing can be saved any more', async () => {
    await using folder = await temporaryFolder()
    const path = join(folder.path, 'journal')
    await symlink('/dev/full', path)
    await withJournal(path, async (save) => {
      await expect(save('key', 1)).rejects.toThrow('ENOSPC')
      await expect(save('key', 2)).rejects.toThrow('ENOSPC')
    })
  })
})
