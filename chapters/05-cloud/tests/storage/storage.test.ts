import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { CreateMultipartUploadCommand, ListMultipartUploadsCommand, PutObjectCommand } from '@aws-sdk/client-s3'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { s3Client } from '../../src/cloud/clients.ts'
import {
  deletePrefix,
  leftBuckets,
  listObjects,
  makeBucket,
  removeBucket,
  temporaryBucket,
} from '../../src/storage/buckets.ts'
import { Verifier } from '../../src/storage/checksums.ts'
import { findFeatures } from '../../src/storage/features.ts'
import { forMany } from '../../src/storage/many.ts'
import {
  beginUpload,
  downloadParts,
  headObject,
  partSize,
  type SendOptions,
  type StoredPart,
  sendParts,
  uploadStream,
} from '../../src/storage/parts.ts'
import { pseudoRandom } from '../../src/storage/stream.ts'
import { faultyStore } from '../fixtures/http-faults.ts'
import { usePracticeBucket } from '../fixtures/practice-bucket.ts'

const mib = 1 << 20

const { place, s3, bucket } = await usePracticeBucket()

async function* inChunks(data: Uint8Array, sizes: number[]) {
  for (let at = 0, turn = 0; at < data.length; turn++) {
    const size = sizes[turn % sizes.length] ?? 1
    yield data.subarray(at, at + size)
    at += size
  }
}

async function unfinished(Bucket: string) {
  return (await s3.send(new ListMultipartUploadsCommand({ Bucket }))).Uploads ?? []
}

async function readAll(target: { bucket: string; key: string }) {
  const info = await headObject(s3, target)
  const verifier = new Verifier(info)
  const parts: Buffer[] = []
  for await (const part of downloadParts(s3, target, info)) {
    verifier.add(part)
    parts.push(Buffer.from(part))
  }
  return { data: Buffer.concat(parts), parts: parts.length, verified: verifier.verify(target.key) }
}

describe('objects in parts', () => {
  const content = Buffer.concat([...pseudoRandom(12 * mib)])

  it.each([
    [0, 1],
    [1, 1],
    [partSize - 1, 1],
    [partSize, 1],
    [partSize + 1, 2],
    [2 * partSize, 2],
    [2 * partSize + 1, 3],
  ])('stores a stream of %i bytes in %i parts and reads it back', async (length, parts) => {
    const target = { bucket, key: `stream-${length}` }
    const data = content.subarray(0, length)
    const seen: number[] = []
    const onProgress = (done: number) => seen.push(done)
    const stored = await uploadStream(s3, target, inChunks(data, [1000, 70_000, 1_234_567]), { onProgress })
    expect(stored).toMatchObject({ bytes: length, parts })
    expect(seen.at(-1)).toBe(length)
    const back = await readAll(target)
    expect(back.data.equals(data)).toBe(true)
    expect(back.verified).toBe('CRC-32')
  })

  it('does not care how the stream is chunked', async () => {
    const sizes = fc.array(fc.integer({ min: 1, max: 3 * mib }), { minLength: 1, maxLength: 5 })
    const expected = await uploadStream(s3, { bucket, key: 'cut' }, inChunks(content, [content.length]))
    await fc.assert(
      fc.asyncProperty(sizes, async (cuts) => {
        fc.pre(cuts.some((size) => size > 1000))
        const stored = await uploadStream(s3, { bucket, key: 'cut' }, inChunks(content, cuts))
        expect(stored).toEqual(expected)
      }),
      { numRuns: 5 },
    )
  })

  it('has no more parts in flight than the concurrency', async () => {
    let [underWay, most] = [0, 0]
    const counting = s3Client(place)
    counting.middlewareStack.add(
      (next) => async (args) => {
        most = Math.max(most, ++underWay)
        return await next(args).finally(() => underWay--)
      },
      { step: 'initialize' },
    )
    const four = [content, content].map((data) => data.subarray(0, 10 * mib))
    async function* source() {
      yield* four
    }
    await uploadStream(counting, { bucket, key: 'many' }, source(), { concurrency: 2 })
    expect(most).toBe(2)
  })

  it('leaves nothing in the store when the source fails', async () => {
    await using own = await temporaryBucket(s3)
    async function* failing() {
      yield content
      throw new Error('the source is broken')
    }
    await expect(uploadStream(s3, { bucket: own.name, key: 'x' }, failing())).rejects.toThrow('the source is broken')
    expect(await unfinished(own.name)).toEqual([])
  })

  it('leaves nothing in the store when it is aborted', async () => {
    await using own = await temporaryBucket(s3)
    const stop = new AbortController()
    let isClosed = false
    async function* endless() {
      try {
        for (;;) yield content
      } finally {
        isClosed = true
      }
    }
    const options = { signal: stop.signal, onProgress: () => stop.abort(new Error('enough')) }
    await expect(uploadStream(s3, { bucket: own.name, key: 'x' }, endless(), options)).rejects.toThrow('enough')
    expect(await unfinished(own.name)).toEqual([])
    expect(isClosed).toBe(true)
  })

  it.each([10, 8 * mib])('asks nothing of the store when it is aborted before, with %i bytes', async (length) => {
    await using store = await faultyStore(place, () => undefined)
    const [client, target, signal] = [s3Client(store.place), { bucket, key: 'aborted' }, AbortSignal.abort()]
    await expect(
      uploadStream(client, target, inChunks(content.subarray(0, length), [mib]), { signal }),
    ).rejects.toThrow(/aborted/)
    await expect(headObject(client, target, signal)).rejects.toThrow(/aborted/)
    expect(store.requests).toEqual([])
  })

  it('can be aborted even while the store makes it of its parts', async () => {
    const stop = new AbortController()
    await using store = await faultyStore(place, (line) => {
      if (/^POST .*uploadId=/.test(line)) stop.abort(new Error('enough'))
      return undefined
    })
    const source = inChunks(content, [mib])
    const uploading = uploadStream(s3Client(store.place), { bucket, key: 'late' }, source, { signal: stop.signal })
    await expect(uploading).rejects.toThrow('aborted')
    expect(store.requests.at(-1)).toMatch(/^DELETE .*uploadId=/)
  })

  it('asks its source for no further part when it is aborted', async () => {
    const signal = AbortSignal.abort(new Error('enough'))
    let asked = 0
    const next = async () => void asked++
    await expect(sendParts(s3, { bucket, key: 'any', id: 'any' }, next, { signal })).rejects.toThrow('enough')
    expect(asked).toBe(0)
  })

  /** Sends parts of one byte with these numbers. */
  async function sendNumbered(numbers: number[], onPart?: SendOptions['onPart']) {
    const upload = await beginUpload(s3, { bucket, key: 'numbered' })
    const left = [...numbers]
    const next = async () => {
      const number = left.shift()
      return number === undefined ? undefined : { number, bytes: 1 }
    }
    const sent = await sendParts(s3, upload, next, { concurrency: 2, ...(onPart && { onPart }) })
    return sent.map(({ number }) => number)
  }

  it('has at most 10,000 parts', async () => {
    expect(await sendNumbered([10_000])).toEqual([10_000])
    await expect(sendNumbered([10_001])).rejects.toThrow('would have more than 10000 parts of 5242880 bytes')
  })

  it('has its parts in order, in whatever order they arrive', async () => {
    const second = Promise.withResolvers<void>()
    const onPart = ({ number }: StoredPart) => (number === 1 ? second.promise : second.resolve())
    expect(await sendNumbered([1, 2], onPart)).toEqual([1, 2])
  })

  it('is not given up before all parts in flight have ended, even if one of them could not be recorded', async () => {
    const [arrived, recorded] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()]
    let hasEnded = false
    const onPart = async ({ number }: StoredPart) => {
      if (number === 1) {
        arrived.resolve()
        await recorded.promise
        hasEnded = true
      } else {
        await arrived.promise
        setImmediate(() => recorded.resolve())
        throw new Error('cannot be recorded')
      }
    }
    await expect(sendNumbered([1, 2], onPart)).rejects.toThrow('cannot be recorded')
    expect(hasEnded).toBe(true)
  })

  it.each([
    [partSize - 1, undefined],
    [partSize, partSize],
    [6 * mib, 6 * mib],
    [64 * mib, 64 * mib],
    [64 * mib + 1, undefined],
    [5.5e6 + 0.5, undefined],
  ])('is read in the parts that its metadata names, if they are of %d bytes: %s', async (size, expected) => {
    const target = { bucket, key: 'sized' }
    const object = { Bucket: bucket, Key: target.key, Metadata: { 'part-size': String(size) } }
    await s3.send(new PutObjectCommand({ ...object, Body: content }))
    expect((await headObject(s3, target)).partSize).toBe(expected)
    const back = await readAll(target)
    expect([back.data.equals(content), back.parts]).toEqual([true, Math.ceil(content.length / (expected ?? partSize))])
  })

  it('is read no further when nobody wants more', async () => {
    // It sends the first part and no other.
    const server = createServer(({ headers: { range = '' } }, response) => {
      if (range.startsWith('bytes=0-')) response.writeHead(206).end(content.subarray(0, partSize))
    })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const client = s3Client({ ...place, url: `http://127.0.0.1:${(server.address() as AddressInfo).port}` })
    let underWay = 0
    client.middlewareStack.add(
      (next) => async (args) => {
        underWay++
        return await next(args).finally(() => underWay--)
      },
      { step: 'initialize' },
    )
    const info = { bytes: 3 * partSize, etag: '"any"', crc32: undefined, partSize, metadata: {} }
    const parts = downloadParts(client, { bucket, key: 'any' }, info)
    const { value } = await parts.next()
    expect(value?.equals(content.subarray(0, partSize))).toBe(true)
    await parts.return(undefined)
    expect(underWay).toBe(0)
    server.closeAllConnections()
    await new Promise((resolve) => server.close(resolve))
  })

  it('is read on only when the reader is done with a part, whose buffer is used again', async () => {
    const target = { bucket, key: 'slow' }
    await uploadStream(s3, target, inChunks(content, [mib]))
    const asked: unknown[] = []
    const client = s3Client(place)
    client.middlewareStack.add(
      (next) => async (args) => {
        asked.push((args.input as { Range?: string }).Range)
        return await next(args)
      },
      { step: 'initialize' },
    )
    const reading = downloadParts(client, target, await headObject(s3, target), { concurrency: 1 })
    await reading.next()
    await nextTurn()
    expect(asked).toEqual([`bytes=0-${partSize - 1}`])
    await Array.fromAsync(reading)
    expect(asked).toHaveLength(3)
  })

  it('notices an object that is replaced while it is read', async () => {
    const target = { bucket, key: 'replaced' }
    await uploadStream(s3, target, inChunks(content, [mib]))
    const info = await headObject(s3, target)
    const reading = downloadParts(s3, target, info, { concurrency: 1 })
    await reading.next()
    await uploadStream(s3, target, inChunks(content.subarray(1), [mib]))
    await expect(reading.next()).rejects.toThrow(`${bucket}/replaced was replaced while it was read`)
  })

  it('notices content that is not what was stored', async () => {
    const target = { bucket, key: 'other' }
    await uploadStream(s3, target, inChunks(content, [mib]))
    const info = await headObject(s3, target)
    // Also when a store keeps no checksum, by the ETag.
    for (const stored of [info, { ...info, crc32: undefined }, { ...info, crc32: 'AAAAAA==' }]) {
      const verifier = new Verifier(stored)
      for await (const part of downloadParts(s3, target, info)) {
        const copy = Buffer.from(part)
        copy[7] = (copy[7] ?? 0) ^ 1
        verifier.add(copy)
      }
      expect(() => verifier.verify('other')).toThrow('was damaged on the way')
    }
  })
})

describe('buckets', () => {
  it('list their objects page by page, and delete those with a prefix', async () => {
    const keys = Array.from({ length: 25 }, (_, at) => `page/${String(at).padStart(2, '0')}`)
    await forMany([...keys, 'pages'], { concurrency: 8 }, (Key) =>
      s3.send(new PutObjectCommand({ Bucket: bucket, Key, Body: 'x' })),
    )
    const listed = await Array.fromAsync(listObjects(s3, bucket, 'page/', { pageSize: 7 }), ({ Key }) => Key)
    expect(listed).toEqual(keys)
    expect(await deletePrefix(s3, bucket, 'page/')).toBe(25)
    expect(await Array.fromAsync(listObjects(s3, bucket, 'page'), ({ Key }) => Key)).toEqual(['pages'])
  })

  it('keep their settings when they exist already, and can be removed twice', async () => {
    await using store = await faultyStore(place, () => undefined)
    const client = s3Client(store.place)
    expect(await makeBucket(client, 'made-twice')).toBe(true)
    const made = store.requests.length
    expect(await makeBucket(client, 'made-twice')).toBe(false)
    expect(store.requests.slice(made).map((line) => line.split(' ')[0])).toEqual(['HEAD'])
    await removeBucket(s3, 'made-twice')
    await removeBucket(s3, 'made-twice')
  })

  it('are not left behind when one of their settings fails', async () => {
    await using store = await faultyStore(place, (line) =>
      /^PUT .*lifecycle/.test(line) ? { answer: 403, code: 'AccessDenied' } : undefined,
    )
    const before = await leftBuckets(s3)
    await expect(temporaryBucket(s3Client(store.place))).rejects.toThrow('AccessDenied')
    expect(await leftBuckets(s3)).toEqual(before)
  })

  it('are not left behind when every answer to their creation is lost', async () => {
    await using store = await faultyStore(place, (line) =>
      /^PUT \/distributed-computing-\w+\/?$/.test(line) ? { lose: true } : undefined,
    )
    const before = await leftBuckets(s3)
    const far = s3Client(store.place, { maxAttempts: 1 })
    await expect(temporaryBucket(far)).rejects.toThrow(/^CreateBucket of .*ECONNRESET/)
    expect(await leftBuckets(s3)).toEqual(before)
  })

  it('are removed although requests that were aborted still write to them', async () => {
    // The store has listed what there is, and then carries out the last of them.
    let late = 2
    await using store = await faultyStore(place, (line) =>
      /^DELETE \/[^/]+\/$/.test(line) && late-- > 0 ? { answer: 409, code: 'BucketNotEmpty' } : undefined,
    )
    const own = await temporaryBucket(s3Client(store.place))
    await own[Symbol.asyncDispose]()
    expect(await leftBuckets(s3)).not.toContain(own.name)
    expect(store.requests.filter((line) => line.includes('list-type=2'))).toHaveLength(3)
  })

  it('are removed by two at the same time', async () => {
    const { name } = await temporaryBucket(s3)
    const keys = Array.from({ length: 20 }, (_, at) => `${at}`)
    await forMany(keys, { concurrency: 8 }, (Key) => s3.send(new PutObjectCommand({ Bucket: name, Key, Body: 'x' })))
    await s3.send(new CreateMultipartUploadCommand({ Bucket: name, Key: 'unfinished' }))
    await Promise.all([removeBucket(s3, name), removeBucket(s3, name)])
    expect(await leftBuckets(s3)).not.toContain(name)
  })

  it('of a reader do not become ours because of a name prefix', async () => {
    await makeBucket(s3, 'distributed-computing-thesis')
    expect(await leftBuckets(s3)).toEqual([bucket])
    await removeBucket(s3, 'distributed-computing-thesis')
  })
})

describe('what a store can do', () => {
  it.each([
    ['completing an upload', /^POST .*uploadId=/],
    ['giving up an upload', /^DELETE .*uploadId=/],
    ['a presigned URL', /^GET .*X-Amz-Signature=/],
  ])('does not depend on a lost answer to %s', async (_, request) => {
    await using own = await temporaryBucket(s3)
    const lost = new Set<string>()
    await using store = await faultyStore(place, (line) => {
      if (!request.test(line) || lost.has(line)) return undefined
      lost.add(line)
      return { lose: true }
    })
    const expected = await findFeatures(s3, own.name)
    expect(await findFeatures(s3Client(store.place), own.name)).toEqual(expected)
    expect(lost.size).toBeGreaterThan(0)
  })

  it('remains open where the store is too busy', async () => {
    await using own = await temporaryBucket(s3)
    await using store = await faultyStore(place, (line) =>
      line.includes('?tagging') ? { answer: 503, code: 'SlowDown' } : undefined,
    )
    await expect(findFeatures(s3Client(store.place, { maxAttempts: 2 }), own.name)).rejects.toThrow(/SlowDown/)
  })
})

describe('many at once', () => {
  it('returns the results in order, and begins nothing after a failure', async () => {
    const results = await forMany([3, 1, 2], { concurrency: 3 }, async (item) => item * 10)
    expect(results).toEqual([30, 10, 20])
    const begun: number[] = []
    const failing = forMany([1, 2, 3, 4], { concurrency: 1 }, async (item) => {
      begun.push(item)
      if (item === 2) throw new Error('two is too much')
    })
    await expect(failing).rejects.toThrow('two is too much')
    expect(begun).toEqual([1, 2])
  })
})
