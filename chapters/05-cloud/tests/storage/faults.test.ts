import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, truncateSync } from 'node:fs'
import { readdir, symlink, writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { GetObjectCommand, ListMultipartUploadsCommand, PutObjectCommand, type S3Client } from '@aws-sdk/client-s3'
import { loader } from '@repo/common/process/child'
import { temporaryFolder } from '@repo/common/process/temporary'
import { startProxy } from '@repo/common/servers/proxy'
import { describeReal } from '@repo/common/testing/vitest'
import { describe, expect, it, vi } from 'vitest'
import { s3Client } from '../../src/cloud/clients.ts'
import { temporaryBucket } from '../../src/storage/buckets.ts'
import { crc32Of, md5Of } from '../../src/storage/checksums.ts'
import { findFeatures } from '../../src/storage/features.ts'
import { discardUpload, downloadFile, partialOf, uploadFile } from '../../src/storage/files.ts'
import { journalOf } from '../../src/storage/journal.ts'
import { downloadParts, headObject, partSize, uploadStream } from '../../src/storage/parts.ts'
import { pseudoRandom } from '../../src/storage/stream.ts'
import { alteredClient, type Fault, faultyStore, messageOf, throughFaults } from '../fixtures/http-faults.ts'
import { usePracticeBucket } from '../fixtures/practice-bucket.ts'

const mib = 1 << 20

const { place, s3, bucket } = await usePracticeBucket()

const get = (Key: string) => new GetObjectCommand({ Bucket: bucket, Key })
const put = (Key: string) => new PutObjectCommand({ Bucket: bucket, Key, Body: 'x' })

async function* stream(bytes: number) {
  yield* pseudoRandom(bytes)
}

/** Does something through an HTTP proxy in front of the practice cloud. */
const through = <Result>(fault: (line: string) => Fault | undefined, work: (s3: S3Client) => Promise<Result>) =>
  throughFaults(place, fault, work)

const infoOf = (bytes: number) => ({ bytes, etag: '"any"', crc32: undefined, partSize, metadata: {} })

/** The first `count` matching requests go wrong. */
function first(count: number, pattern: RegExp, fault: Fault) {
  let left = count
  return (line: string) => (pattern.test(line) && left-- > 0 ? fault : undefined)
}

describe('throttling and broken connections', () => {
  it('are overcome by retries, after a while', async () => {
    const { requests } = await through(first(3, /PUT/, { answer: 503, code: 'SlowDown' }), (client) =>
      client.send(put('busy')),
    )
    expect(requests).toHaveLength(4)
    const { requests: again } = await through(first(2, /GET/, { lose: true }), (client) => client.send(get('busy')))
    expect(again).toHaveLength(3)
  })

  it('in the middle of a part, up or down, cost one part', async () => {
    await using proxy = await startProxy({ port: Number(new URL(place.url ?? '').port) })
    const client = s3Client({ ...place, url: `http://${proxy.host}:${proxy.port}` })
    const target = { bucket, key: 'cut' }
    const bytes = 16 * mib
    proxy.cutAfter(3 * mib, 'up')
    const stored = await uploadStream(client, target, stream(bytes))
    expect(stored).toMatchObject({ bytes, parts: 4 })
    expect(proxy.bytes.up).toBeGreaterThan(bytes)

    proxy.cutAfter(3 * mib, 'down')
    const received: Buffer[] = []
    for await (const part of downloadParts(client, target, await headObject(client, target)))
      received.push(Buffer.from(part))
    expect(Buffer.concat(received).equals(Buffer.concat([...pseudoRandom(bytes)]))).toBe(true)
    expect(proxy.bytes.down).toBeGreaterThan(bytes)
  })

  it('at the end of an upload do not fail it if it is complete', async () => {
    const { result, requests } = await through(first(1, /POST .*uploadId=/, { lose: true }), (client) =>
      uploadStream(client, { bucket, key: 'completed' }, stream(8 * mib)),
    )
    expect(result).toMatchObject({ bytes: 8 * mib, parts: 2 })
    expect(requests.filter((line) => /POST .*uploadId=/.test(line))).toHaveLength(2)
    expect(requests.at(-1)).toMatch(/^HEAD/)
  })

  it('at the end of an upload do not fail it if only its ETag proves it complete', async () => {
    const lost = first(1, /POST .*uploadId=/, { lose: true })
    // A store that keeps no checksums refuses a list with checksums in it.
    await using store = await faultyStore(place, (line, body) =>
      body.includes('<ChecksumCRC32>') ? { answer: 400, code: 'MalformedXML' } : lost(line),
    )
    const client = alteredClient(store.place, (_, output) => Object.assign(output, { ChecksumCRC32: undefined }))
    const stored = await uploadStream(client, { bucket, key: 'without CRC' }, stream(8 * mib))
    expect(stored).toMatchObject({ bytes: 8 * mib, parts: 2 })
  })

  it('do not make an older object the new one', async () => {
    await s3.send(put('older'))
    const gone = first(1, /POST .*uploadId=/, { answer: 404, code: 'NoSuchUpload' })
    const { result } = await through(gone, (client) =>
      messageOf(uploadStream(client, { bucket, key: 'older' }, stream(8 * mib))),
    )
    expect(result).toMatch(/^CompleteMultipartUpload of .*NoSuchUpload/)
  })

  it('fail a new upload that the store has forgotten', async () => {
    await using folder = await temporaryFolder()
    const path = join(folder.path, 'file')
    await writeFile(path, pseudoRandom(6 * mib))
    const gone = first(1, /POST .*uploadId=/, { answer: 404, code: 'NoSuchUpload' })
    const { result } = await through(gone, (client) => messageOf(uploadFile(client, { bucket, key: 'gone' }, path)))
    expect(result).toMatch(/^CompleteMultipartUpload of .*NoSuchUpload/)
  })

  it('are told from a refusal, after which a part is not asked for again', async () => {
    const { result, requests } = await through(
      (line) => (line.startsWith('GET') ? { answer: 403, code: 'AccessDenied' } : undefined),
      (client) => messageOf(downloadParts(client, { bucket, key: 'any' }, infoOf(5)).next()),
    )
    expect([result, requests.length]).toEqual([expect.stringMatching(/^GetObject of .*AccessDenied/), 1])
  })

  it('of later parts are reported when their turn comes', async () => {
    const target = { bucket, key: 'three' }
    await uploadStream(s3, target, stream(15))
    const info = { ...(await headObject(s3, target)), partSize: 5 }
    const othersFailed = Promise.withResolvers<void>()
    let ended = 0
    const client = s3Client(place)
    client.middlewareStack.add(
      (next) => async (args) => {
        const input = args.input as { Key: string; Range: string }
        if (input.Range === 'bytes=0-4') await othersFailed.promise
        else input.Key = 'missing'
        return await next(args).finally(() => void (++ended === 2 && setImmediate(othersFailed.resolve)))
      },
      { step: 'initialize' },
    )
    const reading = downloadParts(client, target, info)
    expect((await reading.next()).value).toHaveLength(5)
    await expect(reading.next()).rejects.toThrow('NoSuchKey')
  })

  it('that persist end an upload, whose parts are then removed', async () => {
    await using own = await temporaryBucket(s3)
    // The second part always fails. The request that aborts the upload arrives.
    const fault = (line: string) => (/PUT .*partNumber=2/.test(line) ? { lose: true as const } : undefined)
    const { result, requests } = await through(fault, (client) =>
      messageOf(uploadStream(client, { bucket: own.name, key: 'x' }, stream(16 * mib))),
    )
    expect(result).toMatch(/^UploadPart of .* failed: ECONNRESET: every attempt lost its connection/)
    expect(requests.at(-1)).toMatch(/^DELETE .*uploadId=/)
    expect((await s3.send(new ListMultipartUploadsCommand({ Bucket: own.name }))).Uploads ?? []).toEqual([])
  })

  it('are reported when the parts cannot be removed either', async () => {
    const own = await temporaryBucket(s3)
    const { result } = await through(
      (line) => (/uploadId=/.test(line) ? { answer: 403, code: 'AccessDenied' } : undefined),
      (client) => messageOf(uploadStream(client, { bucket: own.name, key: 'orphan' }, stream(8 * mib))),
    )
    expect(result).toContain(`its parts could not be removed from ${own.name}, where they cost until`)
    const uploads = new ListMultipartUploadsCommand({ Bucket: own.name })
    expect((await s3.send(uploads)).Uploads).toMatchObject([{ Key: 'orphan' }])
    await own[Symbol.asyncDispose]()
    await expect(s3.send(uploads)).rejects.toThrow('NoSuchBucket')
  })

  it('do not delete the journal of an upload that the store still has', async () => {
    await using folder = await temporaryFolder()
    await using own = await temporaryBucket(s3)
    const path = join(folder.path, 'original')
    await writeFile(path, pseudoRandom(3 * partSize))
    const target = { bucket: own.name, key: 'x' }
    const stop = new AbortController()
    const onProgress = () => stop.abort(new Error('stopped by the test'))
    await expect(uploadFile(s3, target, path, { signal: stop.signal, onProgress })).rejects.toThrow('stopped by')
    const fault = (line: string) =>
      /^DELETE .*uploadId=/.test(line) ? { answer: 403, code: 'AccessDenied' } : undefined
    const { result } = await through(fault, (client) => messageOf(discardUpload(client, path)))
    expect(result).toMatch(/^AbortMultipartUpload of .*AccessDenied/)
    expect(existsSync(journalOf(path))).toBe(true)
    expect(await discardUpload(s3, path)).toBe(true)
    expect(existsSync(journalOf(path))).toBe(false)
  })

  it('do not hide that a file has changed', async () => {
    await using folder = await temporaryFolder()
    const path = join(folder.path, 'changed')
    await writeFile(path, pseudoRandom(2 * partSize))
    const fault = (line: string) =>
      /^DELETE .*uploadId=/.test(line) ? { answer: 403, code: 'AccessDenied' } : undefined
    const onProgress = () => truncateSync(path, partSize)
    await through(fault, async (client) => {
      await expect(uploadFile(client, { bucket, key: 'changed' }, path, { onProgress })).rejects.toMatchObject({
        message: `${path} was changed while it was uploaded: upload it again`,
        cause: { message: expect.stringContaining('AccessDenied') },
      })
    })
    expect(await discardUpload(s3, path)).toBe(true)
  })

  it('that damage data are noticed on the way up', async () => {
    const { result } = await through(
      (line) => (/partNumber=2/.test(line) ? { damage: true } : undefined),
      (client) => messageOf(uploadStream(client, { bucket, key: 'damaged' }, stream(8 * mib))),
    )
    expect(result).toMatch(/^UploadPart of .* failed: XAmzContentSHA256Mismatch: the data was damaged on the way/)
  })

  it.each([{ ETag: '"0123456789abcdef0123456789abcdef"' }, { ChecksumCRC32: 'AAAAAA==' }])(
    'that damage data are noticed where the store does not notice them, by its %j',
    async (wrong) => {
      for (const [command, bytes, what] of [
        ['UploadPart', 8 * mib, 'part 1 of '],
        ['PutObject', 8, ''],
      ] as const) {
        const client = alteredClient(place, (name, output) => {
          if (name === command) Object.assign(output, wrong)
        })
        expect(
          await messageOf(uploadStream(client, { bucket, key: 'damaged' }, stream(bytes), { concurrency: 1 })),
        ).toBe(
          `${what}${bucket}/damaged was damaged on the way: its checksum is ${await checksumOf(bytes, wrong)}, the store has ${Object.values(wrong)[0]?.replaceAll('"', '')}`,
        )
      }
    },
  )

  it('that damage data are noticed when the parts become an object', async () => {
    const client = alteredClient(place, (name, output) => {
      if (name === 'CompleteMultipartUpload') output.ChecksumCRC32 = 'AAAAAA==-2'
    })
    expect(await messageOf(uploadStream(client, { bucket, key: 'damaged' }, stream(8 * mib)))).toContain(
      `${bucket}/damaged was damaged on the way`,
    )
  })

  it('that damage data are not looked for with a checksum of the whole, which the parts do not have', async () => {
    const client = alteredClient(place, (name, output) => {
      if (name === 'CompleteMultipartUpload') output.ChecksumCRC32 = 'AAAAAA=='
    })
    expect(await uploadStream(client, { bucket, key: 'whole' }, stream(8 * mib))).toMatchObject({ parts: 2 })
  })

  it.each<[string, string[], string]>([
    ['ends too early', ['hel', 'lo'], 'bytes=0-4 bytes=3-4 hello'],
    ['goes on too long', ['hello, world'], `bytes=0-4 ${bucket}/any: the store sent more than the bytes=0-4 it was`],
    ['brings nothing, five times', [], `${'bytes=0-4 '.repeat(5)}part 1 ended after 0 bytes`],
  ])('in the middle of an answer that %s are noticed', async (_, answers, expected) => {
    // It then waits no time between two attempts.
    using _random = vi.spyOn(Math, 'random').mockReturnValue(0)
    const seen: unknown[] = []
    const server = createServer(({ headers: { range } }, response) => {
      seen.push(range)
      response.writeHead(206).end(answers.shift())
    })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const client = s3Client({ ...place, url: `http://127.0.0.1:${(server.address() as AddressInfo).port}` })
    try {
      for await (const part of downloadParts(client, { bucket, key: 'any' }, infoOf(5))) seen.push(part.toString())
    } catch (error) {
      seen.push((error as Error).message)
    }
    expect(seen.join(' ').slice(0, expected.length)).toBe(expected)
    server.closeAllConnections()
    await new Promise((resolve) => server.close(resolve))
  })

  it.each([
    [undefined, undefined],
    ['FULL_OBJECT', 'AAAAAA=='],
  ])('are not looked for with the CRC-32 of nobody knows what, of the type %s', async (ChecksumType, crc32) => {
    await uploadStream(s3, { bucket, key: 'typed' }, stream(8 * mib))
    const client = alteredClient(place, (_, output) =>
      Object.assign(output, { ChecksumCRC32: 'AAAAAA==', ChecksumType }),
    )
    expect((await headObject(client, { bucket, key: 'typed' })).crc32).toBe(crc32)
  })

  async function checksumOf(bytes: number, { ETag }: { ETag?: string }) {
    const data = Buffer.concat([...pseudoRandom(bytes)]).subarray(0, partSize)
    return ETag ? md5Of(data) : crc32Of(data)
  }
})

/** Moves an object in the process that a script starts as "$@". Returns what both print. */
async function movedBy(script: string, transfer: object, launcher: string[] = []): Promise<string> {
  const program = new URL('../fixtures/transfer.program.ts', import.meta.url).pathname
  const [command = '', ...args] = [...launcher, 'sh', '-c', script, 'sh', process.execPath, ...loader(), program]
  const child = spawn(command, args, {
    env: { ...process.env, TRANSFER: JSON.stringify({ place, ...transfer }) },
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const [output] = await Promise.all([Array.fromAsync(child.stdout.setEncoding('utf8')), once(child, 'close')])
  return output.join('')
}

describe('a full disk', () => {
  it.runIf(existsSync('/dev/full'))('ends a download with one line, and leaves nothing on the disk', async () => {
    await using folder = await temporaryFolder()
    const target = { bucket, key: 'large' }
    const { etag } = await uploadStream(s3, target, stream(6 * mib))
    const path = join(folder.path, 'copy')
    // For every write to it, the kernel says that no space is left.
    await symlink('/dev/full', partialOf(path, etag))
    const message = await messageOf(downloadFile(s3, target, path))
    expect(message).toBe(`${path} cannot be written: the disk is full (ENOSPC)`)
    expect(await readdir(folder.path)).toEqual([])
  })

  /** Moves an object in a process that may write files of at most `blocks` blocks, of 512 or 1,024 bytes each. */
  const limited = (blocks: number, transfer: object) => movedBy(`ulimit -f ${blocks} && exec "$@"`, transfer)

  it.skipIf(process.platform === 'win32')('is the same as a limit on the size of files', async () => {
    await using folder = await temporaryFolder()
    const target = { bucket, key: 'large' }
    await uploadStream(s3, target, stream(6 * mib))
    const path = join(folder.path, 'copy')
    expect(await limited(4096, { way: 'down', target, path })).toBe(
      `error: ${path} cannot be written: the disk is full (EFBIG)\n`,
    )
    expect(await readdir(folder.path)).toEqual([])
  })

  it.skipIf(process.platform === 'win32')('leaves no upload behind without a journal', async () => {
    await using folder = await temporaryFolder()
    await using own = await temporaryBucket(s3)
    const path = join(folder.path, 'large')
    await writeFile(path, pseudoRandom(6 * mib))
    // There is room for the lock, and not for the journal, in which the key stands.
    expect(await limited(1, { way: 'up', target: { bucket: own.name, key: 'x'.repeat(1024) }, path })).toBe(
      `error: ${journalOf(path)} cannot be written: the disk is full (EFBIG)\n`,
    )
    const { Uploads = [] } = await s3.send(new ListMultipartUploadsCommand({ Bucket: own.name }))
    expect(Uploads).toEqual([])
  })

  it('is foreseen when an object is larger than the space left', async () => {
    await using folder = await temporaryFolder()
    const target = { bucket, key: 'huge' }
    await s3.send(put('huge'))
    // The store describes an object that fits on no disk.
    const client = alteredClient(place, (command, output) => {
      if (command === 'HeadObject') output.ContentLength = 2 ** 60
    })
    const path = join(folder.path, 'copy')
    expect(await messageOf(downloadFile(client, target, path))).toMatch(/copy needs .* and its disk has .* left$/)
    expect(await readdir(folder.path)).toEqual([])
  })
})

describeReal(
  'a disk that is nearly full',
  // The only small disk that needs no preparation: a mount in the process's own namespace.
  {
    name: 'Linux and root',
    found: process.platform === 'linux' && process.getuid?.() === 0,
    install: 'run the tests as root',
  },
  () => {
    const disk = '/mnt'
    const path = join(disk, 'copy')
    /** Downloads to a disk of `size` MiB, on which `prepare` puts something first. Lists what the disk has in the end. */
    const ontoDisk = (size: number, prepare: string, transfer: object) =>
      movedBy(
        `mount -t tmpfs -o size=${size}m none ${disk} && ${prepare} && "$@" && ls -A ${disk}`,
        { way: 'down', path, ...transfer },
        ['unshare', '--mount'],
      )

    it('takes the rest of an interrupted download, even if the whole object would not fit', async () => {
      await using folder = await temporaryFolder()
      const target = { bucket, key: 'large' }
      const { etag } = await uploadStream(s3, target, stream(3 * partSize))
      const begun = join(folder.path, 'begun')
      await writeFile(begun, pseudoRandom(2 * partSize))
      expect(await ontoDisk(16, `cp ${begun} ${partialOf(path, etag)}`, { target })).toBe('done\ncopy\n')
    })

    it('and takes only some of the data fails the download', async () => {
      const target = { bucket, key: 'one part' }
      await uploadStream(s3, target, stream(4 * mib))
      const fill = { path: join(disk, 'of-another'), bytes: 4 * mib }
      expect(await ontoDisk(6, 'true', { target, fill })).toBe(
        `error: ${path} cannot be written: the disk is full (ENOSPC)\nof-another\n`,
      )
    })
  },
)

describe('a store', () => {
  it('that refuses a probe for another reason lacks the feature', async () => {
    await using own = await temporaryBucket(s3)
    let puts = 0
    const fault = (line: string) =>
      /^PUT .*features\/object\?/.test(line) && puts++ > 0 ? { answer: 403, code: 'AccessDenied' } : undefined
    const { result } = await through(fault, (client) => findFeatures(client, own.name))
    for (const name of ['write only if new', 'write only if unchanged']) {
      expect(result.find((feature) => feature.name === name)).toMatchObject({ there: false, because: 'AccessDenied' })
    }
  })
})

describe('a file', () => {
  it('that cannot be read fails with one line', async () => {
    expect(await messageOf(uploadFile(s3, { bucket, key: 'x' }, '/nowhere/file'))).toContain('ENOENT')
    await using folder = await temporaryFolder()
    const path = join(folder.path, 'small')
    await writeFile(path, 'small')
    expect(await uploadFile(s3, { bucket, key: 'small' }, path)).toMatchObject({ bytes: 5, parts: 1, resumed: 0 })
  })
})
