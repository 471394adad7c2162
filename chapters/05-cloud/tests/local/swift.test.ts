import { connect } from 'node:net'
import {
  CreateBucketCommand,
  GetObjectCommand,
  ListMultipartUploadsCommand,
  ListObjectsV2Command,
  PutObjectCommand,
} from '@aws-sdk/client-s3'
import { describeReal } from '@repo/common/testing/vitest'
import { AsyncDisposableStack } from '@whatwg-node/disposablestack'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { s3Client } from '../../src/cloud/clients.ts'
import type { CloudError } from '../../src/cloud/errors.ts'
import { findSwift, installSwift, type Swift, startSwift } from '../../src/local/swift.ts'
import { removeBucket, temporaryBucket } from '../../src/storage/buckets.ts'
import { Verifier } from '../../src/storage/checksums.ts'
import { findFeatures } from '../../src/storage/features.ts'
import { downloadParts, headObject, uploadStream } from '../../src/storage/parts.ts'
import { pseudoRandom } from '../../src/storage/stream.ts'
import { faultyStore } from '../fixtures/http-faults.ts'

describeReal('OpenStack Swift', { name: 'Swift', found: await findSwift(), install: installSwift }, () => {
  let stack: AsyncDisposableStack
  let swift: Swift
  let bucket: string

  beforeAll(async () => {
    stack = new AsyncDisposableStack()
    swift = stack.use(await startSwift())
    bucket = stack.use(await temporaryBucket(s3Client(swift.place))).name
  })
  afterAll(async () => {
    await stack.disposeAsync()
    // Another one would take seconds to start.
    const port = Number(new URL(swift.place.url ?? '').port)
    const refused = await new Promise((resolve) => connect({ port, host: '127.0.0.1' }).once('error', resolve))
    expect(refused, 'the server is gone when it is disposed of').toMatchObject({ code: 'ECONNREFUSED' })
  })

  async function errorOf(failing: Promise<unknown>): Promise<CloudError> {
    return await failing.then(
      () => new Error('it did not fail'),
      (error: unknown) => error as CloudError,
    )
  }
  async function* stream(bytes: number) {
    yield* pseudoRandom(bytes)
  }

  it('has the features it is known to have, and no others', async () => {
    await using own = await temporaryBucket(s3Client(swift.place))
    const features = await findFeatures(s3Client(swift.place), own.name)
    const there = new Map(features.map((feature) => [feature.name, feature.there]))
    for (const name of ['ranges of an object', 'upload in parts', 'list unfinished uploads', 'presigned URLs']) {
      expect([name, there.get(name)]).toEqual([name, true])
    }
    expect(features.find(({ name }) => name === 'write only if new')).toMatchObject({
      there: false,
      because: 'NotImplemented',
    })
  })

  it('stores an object in parts and gives it back, checked by its MD5', async () => {
    const s3 = s3Client(swift.place)
    const target = { bucket, key: 'parts' }
    expect(await uploadStream(s3, target, stream(12 << 20))).toMatchObject({ parts: 3 })
    const info = await headObject(s3, target)
    const verifier = new Verifier(info)
    const parts: Buffer[] = []
    for await (const part of downloadParts(s3, target, info)) {
      verifier.add(part)
      parts.push(Buffer.from(part))
    }
    expect(verifier.verify('parts')).toBe('MD5')
    expect(Buffer.concat(parts).equals(Buffer.concat([...pseudoRandom(12 << 20)]))).toBe(true)
  })

  it('keeps no unfinished upload after a failed one', async () => {
    const s3 = s3Client(swift.place)
    await using broken = await faultyStore(swift.place, (line) =>
      /PUT .*partNumber=2/.test(line) ? { answer: 403, code: 'AccessDenied' } : undefined,
    )
    const error = await errorOf(uploadStream(s3Client(broken.place), { bucket, key: 'failed' }, stream(12 << 20)))
    expect(error.message).toContain('AccessDenied')
    const { Uploads = [] } = await s3.send(new ListMultipartUploadsCommand({ Bucket: bucket }))
    expect(Uploads).toEqual([])
  })

  it('removes unfinished uploads of others with their bucket', async () => {
    const s3 = s3Client(swift.place)
    const own = await temporaryBucket(s3)
    await using broken = await faultyStore(swift.place, (line) =>
      /uploadId=/.test(line) ? { answer: 403, code: 'AccessDenied' } : undefined,
    )
    const error = await errorOf(
      uploadStream(s3Client(broken.place), { bucket: own.name, key: 'orphan' }, stream(6 << 20)),
    )
    expect(error.message).toContain('its parts could not be removed')
    const { Uploads = [] } = await s3.send(new ListMultipartUploadsCommand({ Bucket: own.name }))
    expect(Uploads).toHaveLength(1)
    await removeBucket(s3, own.name)
    expect((await errorOf(s3.send(new ListObjectsV2Command({ Bucket: own.name })))).name).toBe('NoSuchBucket')
  })

  it('refuses the guest, a wrong key, a taken and an invalid name, and a wrong clock, each in its own way', async () => {
    const s3 = s3Client(swift.place)
    const list = new ListObjectsV2Command({ Bucket: bucket })
    const guest = s3Client({ ...swift.place, credentials: swift.guest })
    expect((await errorOf(guest.send(list))).message).toContain('AccessDenied: these credentials may not do that (403)')
    const wrong = { accessKeyId: 'project:user', secretAccessKey: 'wrong' }
    expect((await errorOf(s3Client({ ...swift.place, credentials: wrong }).send(list))).name).toBe(
      'SignatureDoesNotMatch',
    )
    expect((await errorOf(s3.send(new CreateBucketCommand({ Bucket: bucket })))).name).toBe('BucketAlreadyOwnedByYou')
    expect((await errorOf(s3.send(new CreateBucketCommand({ Bucket: 'No_Bucket' })))).name).toBe('InvalidBucketName')
    const late = s3Client(swift.place, { systemClockOffset: 3_600_000 })
    expect((await errorOf(late.send(list))).name).toBe('RequestTimeTooSkewed')
    // The client has learned the time from the store's answer.
    expect((await late.send(list)).KeyCount).toEqual(expect.any(Number))
  })

  it('has the bucket although the answer to its creation is lost', async () => {
    let puts = 0
    await using broken = await faultyStore(swift.place, (line) =>
      line.startsWith('PUT') && puts++ === 0 ? { lose: true } : undefined,
    )
    await using own = await temporaryBucket(s3Client(broken.place))
    expect((await s3Client(swift.place).send(new ListObjectsV2Command({ Bucket: own.name }))).KeyCount).toBe(0)
  })

  it('keeps objects with odd keys apart', async () => {
    const s3 = s3Client(swift.place)
    for (const Key of ['a b', "odd/ü+&*'()!~=.txt", 'x?y#z%20']) {
      await s3.send(new PutObjectCommand({ Bucket: bucket, Key, Body: Key }))
      const { Body } = await s3.send(new GetObjectCommand({ Bucket: bucket, Key }))
      expect(await Body?.transformToString()).toBe(Key)
    }
  })
})
