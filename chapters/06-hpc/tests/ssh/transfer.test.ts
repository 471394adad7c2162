import { execFile } from 'node:child_process'
import { createHash, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { appendFileSync, readdirSync, statSync, writeFileSync } from 'node:fs'
import { chmod, mkdir, readdir, readFile, readlink, rename, stat, symlink, writeFile } from 'node:fs/promises'
import type { AddressInfo } from 'node:net'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'
import { loader } from '@repo/common/process/child'
import { temporaryFolder } from '@repo/common/process/temporary'
import { startProxy } from '@repo/common/servers/proxy'
import { describeReal } from '@repo/common/testing/vitest'
import { newKeyPair } from '@repo/practice-cluster/cluster'
import { AsyncDisposableStack } from '@whatwg-node/disposablestack'
import fc from 'fast-check'
import ssh2 from 'ssh2'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { findOpenSsh, installOpenSsh, type OpenSsh, startOpenSsh } from '../../src/real/open-ssh.ts'
import { type Connection, connect } from '../../src/ssh/connection.ts'
import type { RemoteFileError, Sftp } from '../../src/ssh/sftp.ts'
import { type TransferOptions, type TransferProgress, type Transfers, transfers } from '../../src/ssh/transfer.ts'

/** All files below a folder with their contents. */
async function contents(folder: string): Promise<Record<string, string>> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true })
  const files = entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name))
  const texts = files.map(async (file) => [file.slice(folder.length + 1), await readFile(file, 'base64')] as const)
  return Object.fromEntries(await Promise.all(texts))
}

async function write(folder: string, files: Record<string, string | Buffer>): Promise<void> {
  for (const [name, content] of Object.entries(files)) {
    await mkdir(dirname(join(folder, name)), { recursive: true })
    await writeFile(join(folder, name), content)
  }
}

describeReal('files over a real sshd', { name: 'OpenSSH', found: await findOpenSsh(), install: installOpenSsh }, () => {
  let server: OpenSsh
  let connection: Connection
  let folder: string
  let number = 0
  beforeAll(async () => {
    server = await startOpenSsh()
    connection = await connect(server.options)
  })
  beforeEach(async () => {
    folder = join(server.folder, `test-${number++}`)
    await mkdir(folder)
  })
  afterAll(async () => {
    await connection?.[Symbol.asyncDispose]()
    await server?.[Symbol.asyncDispose]()
  })

  describe('single files', () => {
    it('are written whole or not at all, over older ones, and read back', async () => {
      const file = join(folder, 'a b')
      const large = randomBytes(3_000_000)
      for (const content of ['', 'short', large]) {
        await connection.writeFile(file, content)
        expect((await connection.readFile(file)).equals(Buffer.from(content))).toBe(true)
      }
      await connection.writeFile(file, '#!/bin/sh\necho run', { mode: 0o755 })
      expect(await connection.output([file])).toBe('run\n')
      expect(await readdir(folder)).toEqual(['a b'])
    })

    it('fail with errors that name host and path', async () => {
      const missing = connection.readFile(join(folder, 'missing'))
      await expect(missing).rejects.toThrow(`${connection.name}: ${join(folder, 'missing')} cannot be read`)
      expect((await missing.catch((error: RemoteFileError) => error.code)) as string).toBe('ENOENT')
      await expect(connection.writeFile(join(folder, 'no', 'folder'), '')).rejects.toThrow('folder cannot be written')
      await expect(connection.list(join(folder, 'no'))).rejects.toThrow('cannot be listed')
    })

    it('are in folders that are made, listed and removed with everything in them', async () => {
      const deep = join(folder, 'x', 'y', 'z')
      await Promise.all([connection.mkdir(deep), connection.mkdir(deep)])
      await connection.writeFile(join(deep, 'file'), '12345')
      await symlink('/etc', join(folder, 'x', 'link'))
      expect(await connection.list(join(folder, 'x'))).toMatchObject([
        { name: 'link', kind: 'other' },
        { name: 'y', kind: 'folder' },
      ])
      expect(await connection.list(deep)).toEqual([{ name: 'file', kind: 'file', bytes: 5, mode: 0o644 }])
      await expect(connection.mkdir(join(deep, 'file'))).rejects.toThrow('cannot be made')
      await connection.remove(join(folder, 'x'))
      await connection.remove(join(folder, 'x'))
      expect(await readdir(folder)).toEqual([])
      expect((await stat('/etc')).isDirectory()).toBe(true)
    })

    it('are relative to the home folder unless their path is absolute, as in commands', async () => {
      const home = await connection.realPath('.')
      expect(await connection.realPath('~/.')).toBe(home)
      expect(await connection.output(['pwd'])).toBe(`${home}\n`)
    })
  })

  it('folders arrive unchanged, whatever the names and contents', async () => {
    const name = fc.string({ unit: 'binary', maxLength: 20 }).filter((text) => {
      const bytes = Buffer.byteLength(text)
      return bytes > 0 && bytes < 60 && !/[/\0]/.test(text) && text !== '.' && text !== '..'
    })
    const path = fc.tuple(name, name).map(([a, b]) => `${a}.d/${b}`)
    const tree = fc.dictionary(fc.oneof(name, path), fc.uint8Array({ maxLength: 100_000 }), { maxKeys: 8 })
    let at = 0
    await fc.assert(
      fc.asyncProperty(tree, async (files) => {
        const [from, there, back] = ['from', 'there', 'back'].map((kind) => join(folder, `${at}-${kind}`)) as [
          string,
          string,
          string,
        ]
        at++
        await mkdir(from)
        await write(from, Object.fromEntries(Object.entries(files).map(([name, data]) => [name, Buffer.from(data)])))
        const count = Object.keys(files).length
        const copied = { files: count, unchanged: 0, resumedBytes: 0, verified: true }
        expect(await connection.upload(from, there)).toMatchObject(copied)
        expect(await connection.download(there, back)).toMatchObject(copied)
        expect(await contents(back)).toEqual(await contents(from))
        expect(await contents(there)).toEqual(await contents(from))
        // Everything is there: nothing travels again.
        expect(await connection.upload(from, there)).toMatchObject({ files: 0, bytes: 0, unchanged: count })
        expect(await connection.download(there, back)).toMatchObject({ files: 0, bytes: 0, unchanged: count })
      }),
      { numRuns: 4 },
    )
  })

  it('only what differs and is asked for travels, and programs stay executable', async () => {
    const [from, there, back] = [join(folder, 'from'), join(folder, 'there'), join(folder, 'back')]
    await write(from, { 'a/1': 'one', 'a/2': 'two', run: '#!/bin/sh\necho ran' })
    await chmod(join(from, 'run'), 0o755)
    await symlink('/etc/passwd', join(from, 'link'))
    expect(await connection.upload(from, there)).toMatchObject({ files: 3, bytes: 24, skipped: ['link'] })
    expect(await connection.output([join(there, 'run')])).toBe('ran\n')
    expect(await connection.download(from, join(folder, 'copy'))).toMatchObject({ files: 3, skipped: ['link'] })

    await writeFile(join(from, 'a/2'), 'TWO')
    expect(await connection.upload(from, there)).toMatchObject({ files: 1, bytes: 3, unchanged: 2 })
    expect(await connection.download(there, back, { only: ['a/2'] })).toMatchObject({ files: 1, unchanged: 0 })
    expect(Object.keys(await contents(back))).toEqual(['a/2'])
    const missing = connection.download(there, back, { only: ['a/1', 'a/3'] })
    await expect(missing).rejects.toThrow(`${connection.name}: ${join(there, 'a/3')} cannot be read`)
    expect(Object.keys(await contents(back))).toEqual(['a/1', 'a/2'])
    await expect(connection.download(there, back, { only: ['../from/run'] })).rejects.toThrow('accepts paths within')
  })

  it('only paths within the folder may be named, each counts once, and unfinished files stay where they are', async () => {
    const [from, there, back] = [join(folder, 'from'), join(folder, 'there'), join(folder, 'back')]
    const unfinished = { '.x.0123456789abcdef.part': '', [`b/.y.${'0'.repeat(36)}.part`]: '' }
    const files = { a: '1', 'b/c': '2', '.z.0123.part': 'a name of the reader’s' }
    await write(from, { ...files, ...unfinished })
    expect(await connection.upload(from, there)).toMatchObject({ files: 3, skipped: [] })
    await write(there, unfinished)
    expect(await connection.download(there, back)).toMatchObject({ files: 3, skipped: [] })
    expect(Object.keys(await contents(back)).sort()).toEqual(Object.keys(files).sort())
    const once = { files: 0, unchanged: 1 }
    expect(await connection.upload(from, there, { only: ['a', './a', 'b/../a'] })).toMatchObject(once)
    expect(await connection.download(there, back, { only: ['a', './a', 'b/../a'] })).toMatchObject(once)
    for (const name of ['..', '../a', '/etc/passwd', 'b/../..']) {
      const message = `only: received ${JSON.stringify(name)}; accepts paths within the folder`
      await expect(connection.upload(from, there, { only: [name] })).rejects.toThrow(message)
      await expect(connection.download(there, back, { only: [name] })).rejects.toThrow(message)
    }
  })

  it('a folder arrives even if it is empty, and one in the place of a file stays and is named', async () => {
    const [from, there, back] = [join(folder, 'from'), join(folder, 'there'), join(folder, 'back')]
    await mkdir(from)
    expect(await connection.upload(from, there)).toMatchObject({ files: 0, unchanged: 0 })
    expect(await connection.download(there, back)).toMatchObject({ files: 0, unchanged: 0 })
    await write(from, { a: '1' })
    for (const path of [there, back]) await mkdir(join(path, 'a'))
    await expect(connection.upload(from, there)).rejects.toThrow(`${join(there, 'a')} cannot be written`)
    // Not for want of space.
    const message = `${join(back, 'a')} cannot be written`
    await expect(connection.download(from, back)).rejects.toMatchObject({ message })
    expect(await readdir(back)).toEqual(['a'])
  })

  it('names may contain all that ends a line or means something to a program, and be long', async () => {
    const [from, there, back] = [join(folder, 'from'), join(folder, 'there'), join(folder, 'back')]
    const long = '長'.repeat(80)
    const names = ['a\u2028b', 'a', 'c\u2029', 'd\u0085', 'e\r', 'f\ng', 'h\\', '-', '--', '\ufffd', long, `${long}x`]
    // Of the same content, and so alike that only their ends differ.
    const files = Object.fromEntries(names.map((name) => [name, 'the same']))
    await write(from, files)
    expect(await connection.upload(from, there)).toMatchObject({ files: names.length, skipped: [] })
    expect(await connection.download(there, back)).toMatchObject({ files: names.length, skipped: [] })
    expect(await contents(back)).toEqual(await contents(from))
    expect(await connection.upload(from, there)).toMatchObject({ files: 0, unchanged: names.length })
    await connection.writeFile(join(there, long), 'other')
    expect((await connection.readFile(join(there, long))).toString()).toBe('other')
    await expect(connection.writeFile(join(there, 'x'.repeat(256)), '')).rejects.toThrow(
      'its name has 256 bytes, and most systems take 255',
    )
  })

  it('names that are not UTF-8 are left out and said, and removed with their folder', async () => {
    const [from, there, back] = [join(folder, 'from'), join(folder, 'there'), join(folder, 'back')]
    await write(from, { good: 'g', 'caf\ufffd': 'has that name' })
    const latin1 = (path: string) => Buffer.concat([Buffer.from(`${path}/caf`), Buffer.from([0xe9])])
    const odd = Buffer.concat([Buffer.from(`${from}/fol`), Buffer.from([0xe9])])
    await mkdir(odd)
    await writeFile(latin1(from), 'Latin-1')
    await writeFile(Buffer.concat([odd, Buffer.from('/x')]), 'x')
    await connection.output(['cp', '-r', from, there])
    const skipped = ['caf\ufffd', 'fol\ufffd']
    for (const copied of [await connection.download(there, back), await connection.upload(from, join(folder, 'up'))]) {
      expect({ ...copied, skipped: copied.skipped.sort() }).toMatchObject({ files: 2, skipped })
    }
    expect(await readFile(join(back, 'good'), 'utf8')).toBe('g')
    await connection.remove(there)
    expect(await readdir(folder)).not.toContain('there')
  })

  it('modes arrive with the files: a secret stays one, and nothing is open meanwhile', async () => {
    const [from, there, back] = [join(folder, 'from'), join(folder, 'there'), join(folder, 'back')]
    const modes = {
      secret: 0o600,
      program: 0o755,
      'read-only': 0o444,
      mine: 0o700,
      'read-only program': 0o555,
      text: 0o644,
    }
    for (const [name, mode] of Object.entries(modes)) {
      await write(from, { [name]: `${name}\n`.repeat(50_000) })
      await chmod(join(from, name), mode)
    }
    const modesIn = async (path: string) =>
      Object.fromEntries((await readdir(path)).map((name) => [name, statSync(join(path, name)).mode & 0o777] as const))
    const seen = new Set<string>()
    const look = (path: string) => () => {
      for (const name of readdirSync(path).filter((name) => /secret|mine/.test(name))) {
        // It may have been renamed since it was listed.
        const mode = (statSync(join(path, name), { throwIfNoEntry: false })?.mode ?? 0) & 0o777
        if ((mode & 0o077) !== 0) seen.add(`${name} ${mode.toString(8)}`)
      }
    }
    await connection.upload(from, there, { onProgress: look(there) })
    expect(await modesIn(there)).toEqual(modes)
    await connection.download(there, back, { onProgress: look(back) })
    expect(await modesIn(back)).toEqual(modes)
    const only = join(folder, 'only')
    await connection.download(there, only, { only: Object.keys(modes), onProgress: look(only) })
    expect(await modesIn(only)).toEqual(modes)
    expect(await connection.download(there, only, { only: Object.keys(modes) })).toMatchObject({ files: 0 })
    expect(await modesIn(only)).toEqual(modes)
    // Whoever may not change the mode of a file needs not, where it is right.
    const { ctimeMs } = await stat(join(back, 'text'))
    expect(await connection.download(there, back)).toMatchObject({ files: 0 })
    expect((await stat(join(back, 'text'))).ctimeMs).toBe(ctimeMs)
    expect([...seen]).toEqual([])
    // The content is the same, and somebody has given the file another mode since.
    await chmod(join(there, 'text'), 0o600)
    expect(await connection.download(there, back)).toMatchObject({ files: 0 })
    expect(await modesIn(back)).toEqual({ ...modes, text: 0o600 })
    // No more than new files get here.
    await chmod(join(there, 'text'), 0o666)
    await connection.download(there, join(folder, 'new'), { only: ['text'] })
    expect(await modesIn(join(folder, 'new'))).toEqual({ text: 0o666 & ~process.umask() })
  })

  it.each([
    ['that everybody may read is closed before more of a secret is added', 0o600, 0o644],
    ['that only its owner may read stays closed', 0o644, 0o600],
  ])('a part %s', async (_, wanted, has) => {
    const [from, there, back] = [join(folder, 'from'), join(folder, 'there'), join(folder, 'back')]
    const [content, half] = [randomBytes(3 << 20), 1 << 20]
    await write(from, { file: content })
    await chmod(join(from, 'file'), wanted)
    const part = `.file.${createHash('sha256').update(content).digest('hex').slice(0, 16)}.part`
    for (const [path, copy] of [
      [there, (options: TransferOptions) => connection.upload(from, there, options)],
      [back, (options: TransferOptions) => connection.download(from, back, options)],
    ] as const) {
      await write(path, { [part]: content.subarray(0, half) })
      await chmod(join(path, part), has)
      const modes = new Set<number | undefined>()
      const onProgress = ({ bytes, files }: TransferProgress) => {
        if (bytes > half && files === 0) modes.add(statSync(join(path, part)).mode & 0o777)
      }
      expect(await copy({ onProgress })).toMatchObject({ resumedBytes: half })
      expect([...modes, (await stat(join(path, 'file'))).mode & 0o777]).toEqual([0o600, 0o600])
    }
  })

  it.each([0o444, 0o555, 0o000])('a file of mode %o can be gone on with, and has it in the end', async (mode) => {
    await using proxy = await startProxy({ port: server.port })
    await using own = await connect({ ...server.options, port: proxy.port })
    const [from, there, back] = [join(folder, 'from'), join(folder, 'there'), join(folder, 'back')]
    await write(from, { large: randomBytes(3 << 20) })
    await chmod(join(from, 'large'), mode)
    // Root may write everything, so look whether anybody else could go on.
    const begun = new Set<number>()
    const look = (path: string) => () => {
      for (const name of readdirSync(path))
        if (name.endsWith('.part'))
          begun.add((statSync(join(path, name), { throwIfNoEntry: false })?.mode ?? 0o600) & 0o600)
    }
    proxy.cutAfter(2 << 20, 'up')
    expect((await own.upload(from, there, { onProgress: look(there) })).resumedBytes).toBeGreaterThan(0)
    proxy.cutAfter(2 << 20, 'down')
    expect((await own.download(there, back, { onProgress: look(back) })).resumedBytes).toBeGreaterThan(0)
    for (const path of [there, back]) expect((await stat(join(path, 'large'))).mode & 0o777).toBe(mode)
    expect([...begun]).toEqual([0o600])
  })

  it.each([
    ['a large file', { large: 2 << 20 }, 384 << 10],
    ['small files', Object.fromEntries(Array.from({ length: 8 }, (_, at) => [`small ${at}`, 100_000])), 384 << 10],
    ['a file that is not worth a question at first', { small: 250_000 }, 128 << 10],
  ])('a connection that is cut again and again brings %s over, as long as each one brings some', async (...given) => {
    const [, sizes, cutAfter] = given
    await using proxy = await startProxy({ port: server.port })
    await using own = await connect({ ...server.options, port: proxy.port })
    // Not before something has arrived: what the proxy has passed on may all be lost with the connection.
    const cutting = (direction: 'up' | 'down') => {
      let most = 0
      return ({ bytes }: TransferProgress) => {
        if (bytes <= most) return
        most = bytes
        proxy.cutAfter(cutAfter, direction)
      }
    }
    const [from, there, back] = [join(folder, 'from'), join(folder, 'there'), join(folder, 'back')]
    await write(from, Object.fromEntries(Object.entries(sizes).map(([name, bytes]) => [name, randomBytes(bytes)])))
    await own.upload(from, there, { onProgress: cutting('up') })
    await own.download(there, back, { onProgress: cutting('down') })
    expect(await contents(back)).toEqual(await contents(from))
  })

  it.each([
    ['once, is sent as it is then', 1],
    ['all the time, is blamed itself', 1_000],
  ])('a local file that somebody writes to, %s', async (_, times) => {
    const [from, there] = [join(folder, 'from'), join(folder, 'there')]
    const path = join(from, 'written')
    // Larger than what is read ahead of the first answer, by which time its checksum has been taken.
    await write(from, { written: randomBytes(4 << 20) })
    let left = times
    const onProgress = () => void (left-- > 0 && writeFileSync(path, randomBytes(4 << 20)))
    const copied = connection.upload(from, there, { onProgress })
    if (times === 1) {
      expect(await copied).toMatchObject({ files: 1, verified: true })
      expect(await contents(there)).toEqual(await contents(from))
    } else {
      await expect(copied).rejects.toThrow(`${path} changed while it was copied`)
      expect(await readdir(there)).toEqual([])
    }
  })

  it('a local file that grows meanwhile arrives as it was', async () => {
    const [from, there] = [join(folder, 'from'), join(folder, 'there')]
    const content = randomBytes(4 << 20)
    await write(from, { log: content })
    const onProgress = () => appendFileSync(join(from, 'log'), 'more')
    expect(await connection.upload(from, there, { onProgress })).toMatchObject({ files: 1, bytes: content.length })
    expect((await readFile(join(there, 'log'))).equals(content)).toBe(true)
  })

  it('reports its progress, up to the end', async () => {
    const from = join(folder, 'from')
    await write(from, { small: 'x', large: randomBytes(500_000) })
    const totals: (number | undefined)[] = []
    for (const transfer of [
      (options: TransferOptions) => connection.upload(from, join(folder, 'there'), options),
      (options: TransferOptions) => connection.download(from, join(folder, 'back'), options),
      // Whose sizes become known along the way.
      (options: TransferOptions) =>
        connection.download(from, join(folder, 'only'), { ...options, only: ['small', 'large'] }),
    ]) {
      const seen: TransferProgress[] = []
      await transfer({ onProgress: (progress) => seen.push(progress) })
      totals.push(seen[0]?.totalBytes)
      expect(seen[0]?.bytes).toBeGreaterThan(0)
      expect(seen.at(-1)).toEqual({ files: 2, totalFiles: 2, bytes: 500_001, totalBytes: 500_001 })
      expect(seen.map(({ bytes }) => bytes)).toEqual(seen.map(({ bytes }) => bytes).toSorted((a, b) => a - b))
    }
    expect(totals.slice(0, 2)).toEqual([500_001, 500_001])
    await write(from, { empty: '' })
    const seen: TransferProgress[] = []
    const onProgress = (progress: TransferProgress) => seen.push(progress)
    await connection.download(from, join(folder, 'only'), { only: ['empty'], onProgress })
    expect(seen).toEqual([{ files: 1, totalFiles: 1, bytes: 0, totalBytes: 0 }])
  })

  it('resumes where it was cut, in both directions', async () => {
    await using proxy = await startProxy({ port: server.port })
    await using own = await connect({ ...server.options, port: proxy.port })
    const content = randomBytes(6 << 20)
    const [from, there, back] = [join(folder, 'from'), join(folder, 'there'), join(folder, 'back')]
    await write(from, { large: content })
    proxy.cutAfter(4 << 20, 'up')
    const up = await own.upload(from, there)
    expect((await readFile(join(there, 'large'))).equals(content)).toBe(true)
    expect(up.resumedBytes).toBeGreaterThan(1 << 20)
    expect(await readdir(there)).toEqual(['large'])

    proxy.cutAfter(4 << 20, 'down')
    const down = await own.download(there, back)
    expect((await readFile(join(back, 'large'))).equals(content)).toBe(true)
    expect(down.resumedBytes).toBeGreaterThan(1 << 20)
    expect(await readdir(back)).toEqual(['large'])
  })

  it.each(['upload', 'download'] as const)('arrives whole when two %s it at the same time', async (copy) => {
    await using other = await connect(server.options)
    const [from, to] = [join(folder, 'from'), join(folder, 'to')]
    await write(from, { large: randomBytes(4 << 20) })
    const both = await Promise.all([connection[copy](from, to), other[copy](from, to)])
    expect(both.map(({ verified }) => verified)).toEqual([true, true])
    expect(await contents(to)).toEqual(await contents(from))
    expect(await readdir(to)).toEqual(['large'])
  })

  it('resumes where another process was killed, and never trusts what it finds', async () => {
    const content = randomBytes(3 << 20)
    const [from, there, back] = [join(folder, 'from'), join(folder, 'there'), join(folder, 'back')]
    await write(from, { large: content })
    const half = 1 << 20
    const part = `.large.${createHash('sha256').update(content).digest('hex').slice(0, 16)}.part`
    for (const [begun, bytes] of [
      [content.subarray(0, half), content.length - half],
      [content.subarray(0, 1), content.length - 1],
      // Its checksum will be wrong, so it is sent again as a whole.
      [randomBytes(half), 2 * content.length - half],
      [randomBytes(content.length + 1), content.length],
      [content, 0],
    ] as const) {
      await connection.remove(there)
      await write(there, { [part]: begun })
      const seen: TransferProgress[] = []
      const onProgress = (progress: TransferProgress) => seen.push(progress)
      expect(await connection.upload(from, there, { onProgress })).toMatchObject({ files: 1, bytes })
      expect(seen.at(-1)).toMatchObject({ bytes: content.length, totalBytes: content.length })
      expect(await contents(there)).toEqual(await contents(from))
    }
    for (const [begun, bytes] of [
      [content.subarray(0, half), content.length - half],
      [content.subarray(0, 1), content.length - 1],
      [randomBytes(half), 2 * content.length - half],
    ] as const) {
      await connection.remove(back)
      await write(back, { [part]: begun })
      expect(await connection.download(there, back)).toMatchObject({ files: 1, bytes })
      expect(await contents(back)).toEqual(await contents(from))
    }
  })

  it('a limit on the size of files here is reported like a full disk, and leaves no unfinished file', async () => {
    const [from, back] = [join(folder, 'from'), join(folder, 'back')]
    await write(from, { large: randomBytes(3 << 20) })
    const program = join(import.meta.dirname, '../fixtures/download.program.ts')
    const node = [process.execPath, ...loader(), program, JSON.stringify(server.options), from, back]
    const { stdout } = await promisify(execFile)('sh', ['-c', 'ulimit -f 2048 && exec "$@"', 'sh', ...node])
    expect(JSON.parse(stdout)).toEqual({
      error: `${join(back, 'large')} cannot be written: the disk or your quota is full`,
      left: [],
    })
  })

  it.skipIf(process.platform !== 'linux')('closes the files that it has received', async () => {
    const [from, back] = [join(folder, 'from'), join(folder, 'back')]
    await write(from, { a: '1', b: '2' })
    await connection.download(from, back)
    const open = (await readdir('/proc/self/fd')).map((fd) => readlink(`/proc/self/fd/${fd}`).catch(() => ''))
    expect((await Promise.all(open)).filter((file) => file.startsWith(back))).toEqual([])
  })

  it('stops when asked to, and resumes later', async () => {
    const from = join(folder, 'from')
    await write(from, { large: randomBytes(8 << 20) })
    const controller = new AbortController()
    let late = 0
    const onProgress = ({ bytes }: TransferProgress) => {
      if (controller.signal.aborted) late++
      if (bytes > 2 << 20) controller.abort(new Error('enough'))
    }
    const there = join(folder, 'there')
    await expect(connection.upload(from, there, { signal: controller.signal, onProgress })).rejects.toThrow('enough')
    expect(await readdir(there)).toEqual([expect.stringMatching(/^\.large\..*\.part$/)])
    const { resumedBytes } = await connection.upload(from, there)
    expect(resumedBytes).toBeGreaterThan(1 << 20)
    // Nothing went on behind the back of whoever stopped it.
    expect(late).toBe(0)
    expect(await contents(there)).toEqual(await contents(from))
  })

  describe('with its own programs in place of the usual ones', () => {
    /** A server whose only programs are a shell, xargs, and these. */
    async function withPrograms(programs: Record<string, string>) {
      const path = join(folder, 'bin')
      await mkdir(path)
      await write(path, programs)
      for (const name of Object.keys(programs)) await chmod(join(path, name), 0o755)
      for (const name of ['sh', 'xargs'])
        await symlink(await connection.output(['which', name]).then((out) => out.trim()), join(path, name))
      return await startOpenSsh({ environment: { PATH: path } })
    }
    it.each([
      ['once is copied again', 1],
      ['all the time is refused', 1_000],
    ])('a file that is written to %s', async (_, times) => {
      const [from, back] = [join(folder, 'from'), join(folder, 'back')]
      await write(from, { growing: 'a' })
      // Grows as soon as its checksum has been taken.
      const sums = (await connection.output(['which', 'sha256sum'])).trim()
      const growing = `#!/bin/sh\n${sums} "$@"\nread content < growing\n[ \${#content} -gt ${times} ] || echo "\${content}a" > growing\n`
      await using own = await withPrograms({ sha256sum: growing })
      await using client = await connect(own.options)
      const copied = client.download(from, back)
      if (times === 1) {
        expect(await copied).toMatchObject({ files: 1, verified: true })
        expect(await readFile(join(back, 'growing'), 'utf8')).toBe('aa\n')
      } else {
        await expect(copied).rejects.toThrow(`${join(from, 'growing')} changed while it was copied`)
        expect(await readdir(back)).toEqual([])
      }
    })

    it.each([
      ['Permission denied', 'EACCES'],
      ['Operation not permitted', 'EACCES'],
      ['Device or resource busy', 'EIO'],
    ])('what cannot be removed (%s) fails with %s', async (words, code) => {
      await using own = await withPrograms({ rm: `#!/bin/sh\necho "rm: $3: ${words}" >&2\nexit 1\n` })
      await using client = await connect(own.options)
      const path = join(folder, 'x')
      const message = `${client.name}: ${path} cannot be removed`
      await expect(client.remove(path)).rejects.toMatchObject({ code, message })
    })

    it('a host whose checksums are never right is blamed, and keeps nothing', async () => {
      const [from, there] = [join(folder, 'from'), join(folder, 'there')]
      await write(from, { a: 'a' })
      const [sums = '', sed = ''] = (await connection.output(['which', 'sha256sum', 'sed'])).split('\n')
      await using own = await withPrograms({ sha256sum: `#!/bin/sh\n${sums} "$@" | ${sed} 's/^..../0000/'\n` })
      await using client = await connect(own.options)
      await expect(client.upload(from, there)).rejects.toThrow(
        `${join(there, 'a')} arrived with another checksum twice`,
      )
      expect(await readdir(there)).toEqual([])
    })

    it('a host whose checksums come with the names as they are, like those of BusyBox, is understood', async () => {
      const [from, there, back] = [join(folder, 'from'), join(folder, 'there'), join(folder, 'back')]
      await write(from, { 'a\\nb': 'a', 'c\\\\d': 'c' })
      const [sums = '', sed = ''] = (await connection.output(['which', 'sha256sum', 'sed'])).split('\n')
      const plain = String.raw`s/^\\//; s/\\\\/\\/g`
      await using own = await withPrograms({ sha256sum: `#!/bin/sh\n${sums} "$@" | ${sed} '${plain}'\n` })
      await using client = await connect(own.options)
      expect(await client.upload(from, there)).toMatchObject({ files: 2, verified: true })
      expect(await client.download(there, back)).toMatchObject({ files: 2, verified: true })
      expect(await client.upload(from, there)).toMatchObject({ files: 0, unchanged: 2 })
    })

    it('with a host without checksums everything is copied again, and the result says so', async () => {
      const [from, there, back] = [join(folder, 'from'), join(folder, 'there'), join(folder, 'back')]
      await write(from, { 'a/b': randomBytes(400_000), c: '' })
      await using own = await withPrograms({})
      await using client = await connect(own.options)
      // Of no file, nothing is left to verify.
      await mkdir(join(folder, 'empty'))
      expect(await client.upload(join(folder, 'empty'), there)).toMatchObject({ files: 0, verified: true })
      for (let time = 0; time < 2; time++) {
        expect(await client.upload(from, there)).toMatchObject({ files: 2, bytes: 400_000, verified: false })
        expect(await client.download(there, back)).toMatchObject({ files: 2, bytes: 400_000, verified: false })
      }
      // Nobody could tell of which version of the file a part is, so none is left.
      const enough = AbortSignal.abort(new Error('enough'))
      const stopped = client.download(there, join(folder, 'other'), { onProgress: () => enough.throwIfAborted() })
      await expect(stopped).rejects.toThrow('enough')
      expect(await readdir(join(folder, 'other', 'a'))).toEqual([])
      expect(await contents(back)).toEqual(await contents(from))
    })
  })
})

/** An SFTP session of which each test says what it does; the files are in a local folder. */
async function withSession(
  session: Partial<Record<keyof Sftp, (...args: never[]) => unknown>>,
  use: (transfer: Transfers, folders: { from: string; there: string }) => Promise<void>,
  attempt = async <T>(work: () => Promise<T>, _progress?: () => number): Promise<T> => await work(),
) {
  await using folder = await temporaryFolder()
  const [from, there] = [join(folder.path, 'from'), join(folder.path, 'there')]
  const sftp = {
    makeFolders: (path: string) => mkdir(path, { recursive: true }),
    withFile: async (path: string, _: object, use: (file: { path: string }) => Promise<unknown>) => await use({ path }),
    write: ({ path }: { path: string }, chunks: AsyncIterable<Buffer>) => writeFile(path, chunks),
    writingFailed: async (_part: string, _path: string, error: unknown) => error,
    stat,
    rename,
    ...session,
  }
  const noChecksums = async () => ({ code: 127, stdout: '', stderr: '' })
  const transfer = transfers('host', noChecksums, (work, options) =>
    attempt(() => work(sftp as unknown as Sftp), options?.progress),
  )
  await use(transfer, { from, there })
}

describe('a part that cannot be looked at', () => {
  it('stops the upload, unlike one that is missing', async () => {
    const refused = Object.assign(new Error('refused'), { code: 'EACCES' })
    await withSession({ stat: () => Promise.reject(refused) }, async ({ upload }, { from, there }) => {
      await write(from, { large: randomBytes(300_000) })
      await expect(upload(from, there)).rejects.toBe(refused)
    })
  })
})

describe('a file that has arrived', () => {
  const lost = new Error('the connection was lost')

  it('has its name, even if the answer to the last request was lost', async () => {
    const renamed = async (part: string, target: string) => {
      await rename(part, target)
      throw lost
    }
    await withSession({ rename: renamed }, async ({ upload }, { from, there }) => {
      await write(from, { a: 'new' })
      expect(await upload(from, there)).toMatchObject({ files: 1 })
      expect(await contents(there)).toEqual(await contents(from))
    })
  })

  it.each([
    ['is not there yet', {}],
    ['is there in an older version', { a: 'old' }],
  ])('has not arrived if it cannot be renamed and %s', async (_, before) => {
    await withSession({ rename: () => Promise.reject(lost) }, async ({ upload }, { from, there }) => {
      await write(from, { a: 'new' })
      await write(there, before)
      await expect(upload(from, there)).rejects.toBe(lost)
    })
  })

  it('is waited for, although another one has failed', async () => {
    const other = Promise.withResolvers<void>()
    let ended = false
    const sent = async ({ path }: { path: string }) => {
      if (path.includes('fails')) throw lost
      await other.promise
      ended = true
    }
    await withSession({ write: sent, rename: async () => {} }, async ({ upload }, { from, there }) => {
      await write(from, { fails: '1', other: '2' })
      const failed = upload(from, there).catch((error) => error)
      setImmediate(() => other.resolve())
      expect([await failed, ended]).toEqual([lost, true])
    })
  })
})

describe('a file that arrives in pieces', () => {
  it.each([
    ['comes nearer only by what an attempt adds to the last one', 300_000, 100_000, [100_000, 101_000]],
    ['is not asked about at first if it is small, but once it has begun', 100_000, 50_000, [0, 51_000]],
  ])('%s', async (_, size, before, expected) => {
    const content = randomBytes(size)
    const part = `.a.${createHash('sha256').update(content).digest('hex').slice(0, 16)}.part`
    const lost = new Error('the connection was lost')
    const brokenOff = async ({ path }: { path: string }) => {
      await writeFile(path, '1000 bytes'.repeat(100), { flag: 'a' })
      throw lost
    }
    const reached: number[] = []
    const thrice = async <T>(work: () => Promise<T>, progress?: () => number): Promise<T> => {
      for (let left = 2; progress && left > 0; left--) {
        await expect(work()).rejects.toBe(lost)
        reached.push(progress())
      }
      return await work()
    }
    const use = async ({ upload }: Transfers, { from, there }: { from: string; there: string }) => {
      await write(from, { a: content })
      await write(there, { [part]: content.subarray(0, before) })
      await expect(upload(from, there)).rejects.toBe(lost)
    }
    await withSession({ write: brokenOff }, use, thrice)
    expect(reached).toEqual(expected)
  })
})

describe('a transfer over connections that are lost', () => {
  it('comes nearer with each file that is complete', async () => {
    const reached: number[] = []
    const watched = async <T>(work: () => Promise<T>, progress?: () => number): Promise<T> => {
      const result = await work()
      if (progress) reached.push(progress())
      return result
    }
    const use = async ({ upload }: Transfers, { from, there }: { from: string; there: string }) => {
      await write(from, { a: '1', b: '2' })
      await upload(from, there)
    }
    await withSession({}, use, watched)
    expect(reached.at(-1)).toBe(2)
  })
})

describe('a host that lists names of files that it should not', () => {
  it.each(['../evil', 'a/b', 'a\0b'])('is not believed: %j', async (name) => {
    await using stack = new AsyncDisposableStack()
    const { path: folder } = stack.use(await temporaryFolder())
    const keys = { host: newKeyPair('host'), user: newKeyPair('user') }
    const sftp = (session: ssh2.SFTPWrapper) => {
      let listed = false
      const entry = {
        filename: name,
        longname: name,
        attrs: { mode: 0o100644, size: 4, uid: 0, gid: 0, atime: 0, mtime: 0 },
      }
      session.on('OPENDIR', (id) => session.handle(id, Buffer.from('folder')))
      session.on('READDIR', (id) => {
        if (listed) return session.status(id, 1)
        listed = true
        session.name(id, [entry])
      })
      session.on('CLOSE', (id) => session.status(id, 0))
    }
    const server = new ssh2.Server({ hostKeys: [keys.host.private] }, (client) => {
      client.on('error', () => {})
      client.on('authentication', (context) => context.accept())
      client.on('session', (accept) => accept().on('sftp', (accept) => sftp(accept())))
    })
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    stack.defer(() => void server.close())
    const { port } = server.address() as AddressInfo
    const [identityFile, knownHostsFile] = [join(folder, 'key'), join(folder, 'known_hosts')]
    await writeFile(identityFile, keys.user.private)
    await writeFile(knownHostsFile, `[127.0.0.1]:${port} ${keys.host.public}\n`)
    const options = { host: '127.0.0.1', port, user: 'any', identityFile, knownHostsFile, configFile: false as const }
    const client = stack.use(await connect(options))
    await expect(client.download('results', join(folder, 'back', 'here'))).rejects.toThrow('which is not a file name')
    expect(await readdir(folder)).not.toContain('back')
  })
})

describeReal(
  'a disk that is full',
  // The only small disk that needs no preparation: a mount in the server's own namespace.
  {
    name: 'OpenSSH, Linux and root',
    found: process.platform === 'linux' && process.getuid?.() === 0 && (await findOpenSsh()),
    install: `${installOpenSsh}, then run the tests as root`,
  },
  () => {
    it('is reported with host and path, leaves no unfinished file, and accepts what fits', async () => {
      const mount = 'mount -t tmpfs -o size=1m none /mnt && exec "$@"'
      await using server = await startOpenSsh({ launcher: ['unshare', '--mount', 'sh', '-c', mount, 'sh'] })
      await using connection = await connect(server.options)
      const from = join(server.folder, 'from')
      await write(from, { large: randomBytes(3 << 20), small: 'fits' })
      await expect(connection.upload(from, '/mnt/there')).rejects.toThrow(
        /^.*127\.0\.0\.1:\d+: \/mnt\/there\/large cannot be written: the disk or your quota may be full; .* are free there$/,
      )
      await expect(connection.writeFile('/mnt/large', randomBytes(3 << 20))).rejects.toThrow('your quota may be full')
      const listed = await connection.output(['find', '/mnt', '-type', 'f', '-size', '+1k'])
      expect(listed).toBe('')
      expect(await connection.upload(from, '/mnt/there', { only: ['small'] })).toMatchObject({ files: 1, bytes: 4 })
    })

    it('at this end is reported with its path, leaves no unfinished file, and keeps what fits', async () => {
      await using server = await startOpenSsh()
      const from = join(server.folder, 'from')
      await write(from, { large: randomBytes(3 << 20), small: 'fits' })
      const program = join(import.meta.dirname, '../fixtures/download.program.ts')
      const node = [process.execPath, ...loader(), program, JSON.stringify(server.options), from, '/mnt/back', 'small']
      const mount = 'mount -t tmpfs -o size=1m none /mnt && exec "$@"'
      const { stdout } = await promisify(execFile)('unshare', ['--mount', 'sh', '-c', mount, 'sh', ...node])
      expect(JSON.parse(stdout)).toEqual({
        error: '/mnt/back/large cannot be written: the disk or your quota is full',
        left: ['small'],
      })
    })
  },
)
