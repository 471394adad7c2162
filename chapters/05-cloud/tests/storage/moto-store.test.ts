/** moto's S3, which knows conditions and more than one account. */
import { CreateBucketCommand, HeadObjectCommand, type S3Client } from '@aws-sdk/client-s3'
import { describeReal } from '@repo/common/testing/vitest'
import { AsyncDisposableStack } from '@whatwg-node/disposablestack'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { s3Client } from '../../src/cloud/clients.ts'
import { findMoto, installMoto, type Moto, startMoto } from '../../src/local/moto.ts'
import { randomCredentials } from '../../src/local/practice-cloud.ts'
import { makeBucket, temporaryBucket } from '../../src/storage/buckets.ts'
import { putIfNew } from '../../src/storage/put-if-new.ts'
import { faultyStore } from '../fixtures/http-faults.ts'

describeReal('a store of several accounts', { name: 'moto', found: await findMoto(), install: installMoto }, () => {
  const neighbour = randomCredentials()
  let stack: AsyncDisposableStack
  let moto: Moto
  let s3: S3Client
  let bucket: string

  beforeAll(async () => {
    stack = new AsyncDisposableStack()
    moto = stack.use(await startMoto({ neighbour }))
    s3 = stack.adopt(s3Client(moto.place), (client) => client.destroy())
    bucket = stack.use(await temporaryBucket(s3)).name
  })
  afterAll(() => stack.disposeAsync())

  it('says that a bucket name is somebody else’s', async () => {
    const theirs = stack.adopt(s3Client({ ...moto.place, credentials: neighbour }), (client) => client.destroy())
    const taken = await temporaryBucket(theirs)
    await expect(s3.send(new CreateBucketCommand({ Bucket: taken.name }))).rejects.toThrow(
      'this one is taken: choose another with --bucket (409)',
    )
    // In moto everybody may look at every bucket. At Amazon they may not.
    await using store = await faultyStore(moto.place, (line) =>
      line.startsWith('HEAD') ? { answer: 403, code: 'Forbidden' } : undefined,
    )
    const client = stack.adopt(s3Client(store.place), (client) => client.destroy())
    await expect(makeBucket(client, taken.name)).rejects.toThrow(
      `bucket ${taken.name} is somebody else's or closed to these credentials: choose another with --bucket`,
    )
    await taken[Symbol.asyncDispose]()
  })

  it('lets exactly one of many writers write a new object', async () => {
    const target = { bucket, key: 'once' }
    const wrote = await Promise.all(['a', 'b', 'c', 'd', 'e', 'f'].map((writer) => putIfNew(s3, target, writer)))
    expect(wrote.filter(Boolean)).toHaveLength(1)
    const { ContentLength } = await s3.send(new HeadObjectCommand({ Bucket: bucket, Key: 'once' }))
    expect(ContentLength).toBe(1)
    expect(await putIfNew(s3, target, 'late')).toBe(false)
  })

  it('tells a writer whose answer was lost that it succeeded', async () => {
    let lost = 0
    await using store = await faultyStore(moto.place, (line) =>
      line.startsWith('PUT') && lost++ === 0 ? { lose: true } : undefined,
    )
    const client = stack.adopt(s3Client(store.place), (client) => client.destroy())
    expect(await putIfNew(client, { bucket, key: 'lost' }, 'x')).toBe(true)
    expect(store.requests.map((line) => line.split(' ')[0])).toEqual(['PUT', 'PUT', 'HEAD'])
  })

  it('retries while another writer is writing', async () => {
    let busy = 0
    await using store = await faultyStore(moto.place, (line) =>
      line.startsWith('PUT') && busy++ < 2 ? { answer: 409, code: 'ConditionalRequestConflict' } : undefined,
    )
    const client = stack.adopt(s3Client(store.place), (client) => client.destroy())
    expect(await putIfNew(client, { bucket, key: 'busy' }, 'x')).toBe(true)
  })
})
