/** Files to objects and back: what resumes must be the same work, and nothing of the reader's is lost. */
import { execFileSync } from 'node:child_process'
import { chmodSync, statSync, truncateSync, utimesSync, writeFileSync } from 'node:fs'
import {
  appendFile,
  chmod,
  mkdir,
  readdir,
  readFile,
  readlink,
  stat,
  symlink,
  truncate,
  unlink,
  writeFile,
} from 'node:fs/promises'
import { createServer } from 'node:http'
import { type AddressInfo, connect, createServer as createLink } from 'node:net'
import { join } from 'node:path'
import { DeleteObjectCommand, PutObjectCommand } from '@aws-sdk/client-s3'
import { until } from '@repo/common/async/until'
import { temporaryFolder } from '@repo/common/process/temporary'
import { describe, expect, it } from 'vitest'
import { s3Client } from '../../src/cloud/clients.ts'
import { discardUpload, downloadFile, partialOf, uploadFile } from '../../src/storage/files.ts'
import { journalOf } from '../../src/storage/journal.ts'
import { headObject, mostParts, partSize } from '../../src/storage/parts.ts'
import { useFileTransfers } from '../fixtures/file-transfers.ts'
import { alteredClient, messageOf } from '../fixtures/http-faults.ts'
import { openFiles } from '../fixtures/open-files.ts'

const mib = 1 << 20

const { isRefusedAfter, travelsAs, keepsMode, modeOf, ...transfers } = await useFileTransfers()
const { place, s3, bucket, bytes, target, withFile, stopAfter, interrupt, stored, replaceContent, unfinished } =
  transfers

describe('an interrupted upload', () => {
  it('resumes where it stopped, and so does the download', async () => {
    await withFile(async (path, folder) => {
      await interrupt(path, 2)
      expect(await uploadFile(s3, target, path)).toMatchObject({ bytes, parts: 3, resumed: 2 })
      await expect(readFile(journalOf(path))).rejects.toThrow('ENOENT')

      const back = join(folder, 'back')
      await expect(downloadFile(s3, target, back, stopAfter(2 * partSize))).rejects.toThrow('stopped by the test')
      await expect(readFile(back)).rejects.toThrow('ENOENT')
      // As after a kill in the middle of the third part.
      const { etag } = await headObject(s3, target)
      await writeFile(partialOf(back, etag), 'half a part', { flag: 'a' })
      const seen: number[] = []
      const down = await downloadFile(s3, target, back, { onProgress: (done) => seen.push(done) })
      expect(down).toEqual({ bytes, resumed: expect.any(Number), verified: 'CRC-32' })
      expect(seen.at(-1)).toBe(bytes)
      expect([1, 2]).toContain(down.resumed)
      expect((await readFile(back)).equals(await readFile(path))).toBe(true)
      expect((await readdir(folder)).sort()).toEqual(['back', 'original'])
    })
  })

  it.each([['one byte of its first part', 7, 1, 1]])(
    'sends what a copy with the same size and time has changed: %s',
    async (_what, from, length, resumed) => {
      await withFile(async (path) => {
        await interrupt(path, 2)
        await replaceContent(path, from, Buffer.alloc(length, '#'))
        expect(await uploadFile(s3, target, path)).toMatchObject({ bytes, parts: 3, resumed })
        expect((await stored()).equals(await readFile(path))).toBe(true)
        expect(await unfinished()).toEqual([])
      })
    },
  )

  it.each([['smaller than a part', (path: string) => truncate(path, 1000)]])(
    'begins anew when the file is %s, and leaves neither journal nor parts',
    async (_what, change) => {
      await withFile(async (path, folder) => {
        await interrupt(path, 1)
        await change(path)
        const content = await readFile(path)
        expect(await uploadFile(s3, target, path)).toMatchObject({ bytes: content.length, resumed: 0 })
        expect((await stored()).equals(content)).toBe(true)
        expect(await unfinished()).toEqual([])
        expect(await readdir(folder)).toEqual(['original'])
      })
    },
  )

  it('begins anew for another object, and gives up the first', async () => {
    await withFile(async (path) => {
      for (const other of [{ bucket, key: 'another' }, target]) {
        await interrupt(path, 1, other)
        expect(await unfinished()).toMatchObject([{ Key: other.key }])
      }
      expect(await uploadFile(s3, target, path)).toMatchObject({ resumed: 1 })
      expect(await unfinished()).toEqual([])
    })
  })

  it('begins anew with other metadata, which the store takes only at the beginning', async () => {
    await withFile(async (path) => {
      await interrupt(path, 1)
      expect(await uploadFile(s3, target, path, { metadata: { owner: 'me' } })).toMatchObject({ resumed: 0 })
      expect((await headObject(s3, target)).metadata).toMatchObject({ owner: 'me' })
      expect(await unfinished()).toEqual([])
    })
  })

  it('begins anew when an earlier version had divided the file into other parts', async () => {
    await withFile(async (path) => {
      await interrupt(path, 2)
      const journal = await readFile(journalOf(path), 'utf8')
      await writeFile(journalOf(path), journal.replace(`"partSize":${partSize}`, `"partSize":${2 * partSize}`))
      expect(await uploadFile(s3, target, path)).toMatchObject({ parts: 3, resumed: 0 })
      expect(await unfinished()).toEqual([])
    })
  })

  it('can be given up, and the store forgets its parts', async () => {
    await withFile(async (path, folder) => {
      await interrupt(path, 1)
      expect(await unfinished()).toHaveLength(1)
      expect(await discardUpload(s3, path)).toBe(true)
      expect(await discardUpload(s3, path)).toBe(false)
      expect(await unfinished()).toEqual([])
      expect(await readdir(folder)).toEqual(['original'])
    })
  })

  it('begins anew when the store has forgotten it, even with all parts sent', async () => {
    await withFile(async (path) => {
      for (const parts of [1, 3]) {
        await interrupt(path, parts)
        const journal = await readFile(journalOf(path))
        await discardUpload(s3, path)
        await writeFile(journalOf(path), journal)
        expect(await uploadFile(s3, { bucket, key: target.key }, path)).toMatchObject({ bytes, resumed: 0 })
        await s3.send(new DeleteObjectCommand({ Bucket: bucket, Key: target.key }))
      }
    })
  })

  it('begins anew when the store has another part than the journal says', async () => {
    await withFile(async (path) => {
      await interrupt(path, 2)
      const text = await readFile(journalOf(path), 'utf8')
      await writeFile(
        journalOf(path),
        text.replace(/"etag":"[^,]*"/, '"etag":"\\"0123456789abcdef0123456789abcdef\\""'),
      )
      expect(await uploadFile(s3, target, path)).toMatchObject({ bytes, resumed: 0 })
      expect(await unfinished()).toEqual([])
    })
  })

  it('to two objects from one file at a time are both completed', async () => {
    await withFile(async (path, folder) => {
      const targets = ['one', 'two'].map((key) => ({ bucket, key }))
      await Promise.all(targets.map((to) => uploadFile(s3, to, path)))
      for (const { key } of targets) expect((await stored(key)).equals(await readFile(path))).toBe(true)
      expect(await readdir(folder)).toEqual(['original'])
    })
  })

  it('has its turn after one that fails', async () => {
    await withFile(async (path) => {
      const uploads = ['no-such-bucket', bucket].map((bucket) => uploadFile(s3, { ...target, bucket }, path))
      const outcomes = await Promise.allSettled(uploads)
      expect(outcomes.map(({ status }) => status)).toEqual(['rejected', 'fulfilled'])
    })
  })

  it('begins after all transfers of its file that were asked for before', async () => {
    await using folder = await temporaryFolder()
    const [path, other] = [join(folder.path, 'file'), join(folder.path, 'other')]
    for (const file of [path, other]) await writeFile(file, 'x')
    const sent: unknown[] = []
    const held = Promise.withResolvers<void>()
    const client = s3Client(place)
    client.middlewareStack.add(
      (next) => async (args) => {
        const { Key } = args.input as { Key?: string }
        sent.push(Key)
        if (Key === 'second') await held.promise
        return await next(args)
      },
      { step: 'initialize' },
    )
    const upload = (key: string, from = path) => uploadFile(client, { bucket, key }, from)
    // However the way to the file is spelled.
    const [first, second] = [upload('first'), upload('second', `${folder.path}/./file`)]
    await first
    await until(() => sent.includes('second'))
    const third = upload('third')
    // This file has no turn to wait for: by the end of its transfer, the third would have begun too.
    await upload('of another file', other)
    expect(sent).toEqual(['first', 'second', 'of another file'])
    held.resolve()
    await Promise.all([second, third])
    expect(sent.at(-1)).toBe('third')
  })
})

it('a file of too many parts is refused before its first one travels', async () => {
  await using folder = await temporaryFolder()
  const path = join(folder.path, 'large')
  await writeFile(path, '')
  await truncate(path, mostParts * partSize + 1)
  await expect(uploadFile(s3, target, path)).rejects.toThrow(
    `${path} has 52428800001 bytes; accepts up to 52428800000: S3 takes 10000 parts`,
  )
  expect(await readdir(folder.path)).toEqual(['large'])
  expect(await unfinished()).toEqual([])
})

describe('a journal', () => {
  it('that is torn in its last line is continued, and torn again', async () => {
    await withFile(async (path) => {
      await interrupt(path, 2)
      const cut = async () => await truncate(journalOf(path), (await readFile(journalOf(path))).length - 10)
      await cut()
      // Adds a line behind the cut.
      await interrupt(path, 1)
      expect((await readFile(journalOf(path), 'utf8')).trimEnd().split('\n')).toHaveLength(3)
      expect(await uploadFile(s3, target, path)).toMatchObject({ bytes, resumed: 2 })
      expect((await stored()).equals(await readFile(path))).toBe(true)
      expect(await unfinished()).toEqual([])
    })
  })

  it('with a damaged line can be continued and discarded', async () => {
    const line = '{"number":1,"bytes":5,"etag":"x","crc32":"AAAAAA=="}\n'
    await withFile(async (path) => {
      await interrupt(path, 1)
      await appendFile(journalOf(path), line)
      await interrupt(path, 1)
      const journal = await readFile(journalOf(path))
      expect(await discardUpload(s3, path)).toBe(true)
      await writeFile(journalOf(path), journal)
      expect(await uploadFile(s3, target, path)).toMatchObject({ bytes, resumed: 0 })
      expect(await unfinished()).toEqual([])
    })
  })

  it('is not begun for a folder, which a download refuses before anything travels', async () => {
    await using folder = await temporaryFolder()
    await mkdir(join(folder.path, 'own'))
    await s3.send(new PutObjectCommand({ Bucket: bucket, Key: 'file', Body: 'x' }))
    for (const transfer of [uploadFile, downloadFile]) {
      const refused = transfer(s3, target, join(folder.path, 'own'))
      await expect(refused).rejects.toThrow(`${join(folder.path, 'own')} is a folder: name a file`)
      await expect(downloadFile(s3, target, `${folder.path}/new/`)).rejects.toThrow('/new/ is a folder: name a file')
      await expect(downloadFile(s3, target, '')).rejects.toThrow('. is a folder: name a file')
    }
    expect(await readdir(folder.path)).toEqual(['own'])
  })

  it('is never taken for the reader’s own file, which stays as it is', async () => {
    const content = '{"of":"another program"}'
    await withFile(async (path, folder) => {
      const own = journalOf(path)
      await writeFile(own, content)
      expect(await messageOf(uploadFile(s3, target, path))).toMatch(`${own} is not the journal of an upload`)
      expect(await messageOf(discardUpload(s3, path))).toMatch(`${own} is not the journal of an upload`)
      // A small file needs no journal.
      await truncate(path, 10)
      expect(await uploadFile(s3, target, path)).toMatchObject({ bytes: 10 })
      expect(await readFile(own, 'utf8')).toBe(content)
      expect(await unfinished()).toEqual([])
      expect((await readdir(folder)).sort()).toEqual(['original', 'original.upload'])
    })
  })
})

describe('a file that changes while it is sent', () => {
  const content = Buffer.alloc(bytes, 'new')
  it.each([
    ['is overwritten with the same time', (path: string) => overwriteSync(path, content)],
    ['shrinks', (path: string) => truncateSync(path, 6 * mib)],
    ['gets other permissions', (path: string) => chmodSync(path, 0o400)],
  ])('is refused when it %s', async (_how, change) => await isRefusedAfter(change))

  it.each([['is emptied'], ['grows', 'more than there was']])(
    'is refused when it %s, however small',
    async (_, content = '') => {
      await using folder = await temporaryFolder()
      const path = join(folder.path, 'small')
      await writeFile(path, 'small')
      await uploadFile(s3, target, path)
      const options = {
        // Asked for after the upload has looked at the file.
        get metadata() {
          writeFileSync(path, content)
          return {}
        },
      }
      const refused = uploadFile(s3, target, path, options)
      await expect(refused).rejects.toThrow(`${path} was changed while it was uploaded: upload it again`)
      expect(String(await stored())).toBe('small')
    },
  )

  it('is not refused when only its time changes', async () => {
    await withFile(async (path) => {
      const onProgress = () => utimesSync(path, 1, 1)
      expect(await uploadFile(s3, target, path, { onProgress })).toMatchObject({ bytes })
    })
  })

  function overwriteSync(path: string, content: Uint8Array) {
    const { atime, mtime } = statSync(path)
    writeFileSync(path, content)
    utimesSync(path, atime, mtime)
  }
})

describe('a download', () => {
  it('of which the disk has lost or changed something gives the right file', async () => {
    await withFile(async (path, folder) => {
      await uploadFile(s3, target, path)
      const back = join(folder, 'back')
      const { etag } = await headObject(s3, target)
      for (const left of [Buffer.alloc(2 * partSize), Buffer.alloc(bytes, '#'), Buffer.alloc(bytes + 5)]) {
        await writeFile(partialOf(back, etag), left)
        expect(await downloadFile(s3, target, back)).toEqual({ bytes, resumed: 0, verified: 'CRC-32' })
        expect((await readFile(back)).equals(await readFile(path))).toBe(true)
      }
      expect((await readdir(folder)).sort()).toEqual(['back', 'original'])
    })
  })

  it('resumes only if a checksum will prove the whole', async () => {
    await withFile(async (path, folder) => {
      await uploadFile(s3, target, path)
      const back = join(folder, 'back')
      // As if another tool had stored it in parts that we do not know.
      const client = alteredClient(place, (command, output) => {
        if (command === 'HeadObject') Object.assign(output, { Metadata: {}, ChecksumCRC32: undefined })
      })
      // Longer than the object: nothing of it may be left at the end.
      await writeFile(partialOf(back, (await headObject(s3, target)).etag), Buffer.alloc(bytes + 5, '#'))
      expect(await downloadFile(client, target, back)).toEqual({ bytes, resumed: 0, verified: undefined })
      expect((await readFile(back)).equals(await readFile(path))).toBe(true)
    })
  })

  it('that is damaged twice is neither kept nor open', async () => {
    await withFile(async (path, folder) => {
      await uploadFile(s3, target, path)
      let received = 0
      const client = alteredClient(place, (command, output) => {
        if (command === 'HeadObject') output.ChecksumCRC32 = 'AAAAAA==-3'
        if (command === 'GetObject') received++
      })
      const back = join(folder, 'back')
      await writeFile(partialOf(back, (await headObject(s3, target)).etag), Buffer.alloc(2 * partSize))
      // The missing part, and then all three. When nothing was left, all three have come once already.
      for (const parts of [4, 3]) {
        received = 0
        await expect(downloadFile(client, target, back)).rejects.toThrow('was damaged on the way')
        expect([received, await readdir(folder)]).toEqual([parts, ['original']])
        expect(await openFiles(folder)).toEqual([])
      }
    })
  })

  it('arrives over a link that breaks every 700 kB, more often in a part than a part is retried', async () => {
    await withFile(async (path, folder) => {
      await uploadFile(s3, target, path)
      let cuts = 0
      // Each connection ends after that.
      const link = createLink((client) => {
        const server = connect({ host: '127.0.0.1', port: Number(new URL(place.url ?? '').port) })
        let carried = 0
        client.on('error', () => server.destroy()).pipe(server)
        server.on('data', (data) => {
          client.write(data)
          carried += data.length
          if (carried < 700_000) return
          cuts++
          client.end()
          server.destroy()
        })
        server.on('error', () => client.destroy()).on('end', () => client.end())
      })
      await new Promise<void>((resolve) => link.listen(0, '127.0.0.1', resolve))
      const url = `http://127.0.0.1:${(link.address() as AddressInfo).port}`
      const client = s3Client({ ...place, url }, { maxAttempts: 2 })
      const back = join(folder, 'back')
      expect(await downloadFile(client, target, back)).toMatchObject({ verified: 'CRC-32' })
      client.destroy()
      await new Promise((resolve) => link.close(resolve))
      expect(cuts).toBeGreaterThan(10)
      expect((await readFile(back)).equals(await readFile(path))).toBe(true)
    })
  })
})

// As through `cp` and `curl -o`.
describe.skipIf(process.platform === 'win32')('a download to a symbolic link', () => {
  async function inFolder(work: (folder: string) => Promise<void>) {
    await using folder = await temporaryFolder()
    await s3.send(new PutObjectCommand({ Bucket: bucket, Key: 'linked', Body: 'new' }))
    await mkdir(join(folder.path, 'there'))
    await work(folder.path)
  }
  const download = (path: string) => downloadFile(s3, { bucket, key: 'linked' }, path)

  it.each(['exists', 'does not exist yet'])('writes the file that it leads to and that %s', async (how) => {
    await inFolder(async (folder) => {
      const [file, link, first] = [join(folder, 'there', 'file'), join(folder, 'link'), join(folder, 'first')]
      if (how === 'exists') await writeFile(file, 'old', { mode: 0o600 })
      await symlink('there/file', link)
      await symlink(link, first)
      await download(first)
      expect([await readlink(first), await readlink(link)]).toEqual([link, 'there/file'])
      expect(await readFile(file, 'utf8')).toBe('new')
      if (how === 'exists') expect((await stat(file)).mode & 0o777).toBe(0o600)
      expect([(await readdir(folder)).sort(), await readdir(join(folder, 'there'))]).toEqual([
        ['first', 'link', 'there'],
        ['file'],
      ])
    })
  })

  it('is refused when it leads to itself, to a folder or to a device', async () => {
    await inFolder(async (folder) => {
      const link = join(folder, 'link')
      for (const [to, message] of [
        ['link', 'ELOOP'],
        ['there', `${join(folder, 'there')} is a folder`],
      ] as const) {
        await symlink(to, link)
        await expect(download(link)).rejects.toThrow(message)
        expect(await readlink(link)).toBe(to)
        await unlink(link)
      }
      // A pipe, in place of a device that this test could break.
      const pipe = join(folder, 'pipe')
      execFileSync('mkfifo', [pipe])
      await symlink('pipe', link)
      await expect(download(link)).rejects.toThrow(`${pipe} is a device or pipe: name a file`)
      expect((await readdir(folder)).sort()).toEqual(['link', 'pipe', 'there'])
    })
  })
})

describe('names and permissions', () => {
  it('a file with an awkward name travels there and back', async () => {
    await travelsAs(`-a\u2028b\n %2F ~${'名'.repeat(80)}`)
  })

  it('an unfinished download stays beside its file, whatever ETag the store says', () => {
    expect(partialOf('/a/data', '"../../b"')).toBe('/a/data.b.partial')
  })

  describe.skipIf(process.platform === 'win32')('of a file', () => {
    it('travel with it', async () => {
      await keepsMode(0o444)
    })

    it('are those of the file that is replaced', async () => {
      await using folder = await temporaryFolder()
      const back = join(folder.path, 'secret')
      await s3.send(new PutObjectCommand({ Bucket: bucket, Key: 'open', Body: 'x', Metadata: { mode: '644' } }))
      await writeFile(back, 'old', { mode: 0o600 })
      await downloadFile(s3, { bucket, key: 'open' }, back)
      expect([await modeOf(back), await readFile(back, 'utf8')]).toEqual(['600', 'x'])
    })

    it('are those it has at the end, not those it had when its upload was interrupted', async () => {
      await withFile(async (path) => {
        await chmod(path, 0o644)
        await interrupt(path, 1)
        await chmod(path, 0o600)
        expect(await uploadFile(s3, target, path)).toMatchObject({ resumed: 0 })
        expect((await headObject(s3, target)).metadata).toMatchObject({ mode: '600' })
      })
    })

    it.each(['0', '40', '7'])('may be as few as %s', async (mode) => {
      await using folder = await temporaryFolder()
      await s3.send(new PutObjectCommand({ Bucket: bucket, Key: 'closed', Body: 'x', Metadata: { mode } }))
      await downloadFile(s3, { bucket, key: 'closed' }, join(folder.path, 'closed'))
      const umask = process.umask()
      expect(await modeOf(join(folder.path, 'closed'))).toBe((Number.parseInt(mode, 8) & ~umask).toString(8))
    })

    it.each(['4777', '', 'rwx', '888'])('are the usual ones when the object says %s', async (mode) => {
      await using folder = await temporaryFolder()
      await s3.send(new PutObjectCommand({ Bucket: bucket, Key: 'odd', Body: 'x', Metadata: { mode } }))
      await writeFile(join(folder.path, 'usual'), '')
      await downloadFile(s3, { bucket, key: 'odd' }, join(folder.path, 'odd'))
      expect(await modeOf(join(folder.path, 'odd'))).toBe(await modeOf(join(folder.path, 'usual')))
    })
  })
})

describe('an object that its owner’s key encrypts', () => {
  // With SSE-KMS and SSE-C the ETag looks like an MD5 and is none.
  const etag = '"3eb52a5967bba8ba6ab7035f94e59b1c"'

  it.each([
    { 'x-amz-server-side-encryption': 'aws:kms' },
    { 'x-amz-server-side-encryption': 'aws:kms:dsse' },
    { 'x-amz-server-side-encryption-customer-algorithm': 'AES256' },
  ])('is kept without a proof: %j', async (headers) => {
    await using folder = await temporaryFolder()
    const server = createServer((request, response) => {
      response.writeHead(request.headers.range ? 206 : 200, { ...headers, etag, 'content-length': 5 })
      response.end(request.method === 'HEAD' ? undefined : 'hello')
    })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
    const path = join(folder.path, 'copy')
    expect(await downloadFile(s3Client({ ...place, url }), target, path)).toMatchObject({ verified: undefined })
    expect(await readFile(path, 'utf8')).toBe('hello')
    server.closeAllConnections()
    await new Promise((resolve) => server.close(resolve))
  })

  it.each([{ SSEKMSKeyId: 'key' }, { ServerSideEncryption: 'aws:kms' }])(
    'is sent, whatever its ETags are: %j',
    async (say) => {
      const client = alteredClient(place, (command, output) => {
        if (command === 'UploadPart' || command === 'PutObject')
          Object.assign(output, say, { ETag: etag, ChecksumCRC32: undefined })
      })
      await expect(client.send(new PutObjectCommand({ Bucket: bucket, Key: 'x', Body: 'x' }))).resolves.toMatchObject(
        say,
      )
      await using folder = await temporaryFolder()
      await writeFile(join(folder.path, 'small'), 'small')
      expect(await uploadFile(client, target, join(folder.path, 'small'))).toMatchObject({ etag })
    },
  )
})
