/**
 * The practice cloud's S3, and what it corrects of fauxqs. fauxqs alone, moto and Swift answer the same
 * table in stores.long.test.ts.
 */
import { readFile } from 'node:fs/promises'
import { Readable } from 'node:stream'
import {
  CompleteMultipartUploadCommand,
  CreateMultipartUploadCommand,
  DeleteObjectsCommand,
  GetObjectCommand,
  HeadObjectCommand,
  ListObjectsV2Command,
  PutObjectCommand,
  UploadPartCommand,
  UploadPartCopyCommand,
} from '@aws-sdk/client-s3'
import { getSignedUrl } from '@aws-sdk/s3-request-presigner'
import { expect, it } from 'vitest'
import { deletePrefix, listObjects } from '../../src/storage/buckets.ts'
import { forMany } from '../../src/storage/many.ts'
import { usePracticeBucket } from '../fixtures/practice-bucket.ts'
import { behaviours, differences, differencesOf, differencesTable } from '../fixtures/s3-behaviours.ts'

const { s3, bucket } = await usePracticeBucket()

it('the practice cloud answers like Amazon', async () => {
  expect(await differencesOf(s3)).toEqual({})
})

// Not in the table: what a store that compares fractions of a second answers depends on the moment.
it('the practice cloud compares whole seconds, as HTTP writes them', async () => {
  const object = { Bucket: bucket, Key: 'second' }
  await s3.send(new PutObjectCommand({ ...object, Body: 'x' }))
  const { LastModified } = await s3.send(new HeadObjectCommand(object))
  await s3.send(new HeadObjectCommand({ ...object, IfUnmodifiedSince: LastModified }))
  const get = new GetObjectCommand({ ...object, IfModifiedSince: LastModified })
  await expect(s3.send(get)).rejects.toMatchObject({ $metadata: { httpStatusCode: 304 } })
})

it('the practice cloud refuses conditions of many deletions, which it does not know', async () => {
  await s3.send(new PutObjectCommand({ Bucket: bucket, Key: 'kept', Body: 'x' }))
  const Objects = [{ Key: 'kept', ETag: '"0123456789abcdef0123456789abcdef"' }]
  const request = new DeleteObjectsCommand({ Bucket: bucket, Delete: { Objects } })
  await expect(s3.send(request)).rejects.toMatchObject({ name: 'NotImplemented' })
  await s3.send(new HeadObjectCommand({ Bucket: bucket, Key: 'kept' }))
})

it.each([{ ACL: 'public-read' as const }, { Tagging: 'a=b' }, { WriteOffsetBytes: 3 }])(
  'the practice cloud refuses what it would not do: %j',
  async (more) => {
    const put = new PutObjectCommand({ Bucket: bucket, Key: 'asked', Body: 'x', ...more })
    await expect(s3.send(put)).rejects.toMatchObject({ name: 'NotImplemented' })
  },
)

// Not in the table: moto accepts no signed URL of an upload.
it('the practice cloud keeps the metadata of a signed URL', async () => {
  const object = { Bucket: bucket, Key: 'signed' }
  const url = await getSignedUrl(s3, new PutObjectCommand({ ...object, Metadata: { colour: 'blue' } }))
  expect((await fetch(url, { method: 'PUT', body: 'x' })).status).toBe(200)
  expect((await s3.send(new HeadObjectCommand(object))).Metadata).toEqual({ colour: 'blue' })
})

it('the practice cloud keeps the encoding of an object that is sent as a stream', async () => {
  const object = { Bucket: bucket, Key: 'stream' }
  const Body = Readable.from([Buffer.from('packed')])
  await s3.send(new PutObjectCommand({ ...object, Body, ContentLength: 6, ContentEncoding: 'gzip' }))
  const found = await s3.send(new GetObjectCommand({ ...object, ChecksumMode: 'ENABLED' }))
  expect([found.ContentEncoding, await found.Body?.transformToString()]).toEqual(['gzip', 'packed'])
})

it('the practice cloud refuses to copy a range behind the end', async () => {
  const object = { Bucket: bucket, Key: 'copied' }
  await s3.send(new PutObjectCommand({ ...object, Body: Buffer.alloc(6 << 20) }))
  const { UploadId } = await s3.send(new CreateMultipartUploadCommand(object))
  const part = { ...object, UploadId, PartNumber: 1, CopySource: `${bucket}/copied` }
  const copy = (CopySourceRange: string) => s3.send(new UploadPartCopyCommand({ ...part, CopySourceRange }))
  await expect(copy(`bytes=0-${6 << 20}`)).rejects.toMatchObject({ name: 'InvalidArgument' })
  expect(await copy(`bytes=0-${(6 << 20) - 1}`)).toHaveProperty('CopyPartResult.ETag')
})

it('the practice cloud reads numbered entities in a list of parts, as rclone writes them', async () => {
  const upload = { Bucket: bucket, Key: 'numbered' }
  const { UploadId } = await s3.send(new CreateMultipartUploadCommand(upload))
  const { ETag = '' } = await s3.send(new UploadPartCommand({ ...upload, UploadId, PartNumber: 1, Body: 'x' }))
  const part = `<Part><PartNumber>1</PartNumber><ETag>${ETag.replaceAll('"', '&#34;')}</ETag></Part>`
  const url = await getSignedUrl(s3, new CompleteMultipartUploadCommand({ ...upload, UploadId }))
  const body = `<CompleteMultipartUpload>${part}</CompleteMultipartUpload>`
  expect(await fetch(url, { method: 'POST', headers: { 'content-type': 'application/xml' }, body })).toMatchObject({
    status: 200,
  })
})

it('the README names every difference', async () => {
  const words = behaviours.map(({ what }) => what)
  for (const store of Object.values(differences)) expect(words).toEqual(expect.arrayContaining(Object.keys(store)))
  const readme = await readFile(new URL('../../README.md', import.meta.url), 'utf8')
  const rows = readme.split('\n').map((line) => line.replaceAll(/ +/g, ' '))
  expect(rows).toEqual(expect.arrayContaining(differencesTable()))
})

it('1,001 keys are listed, and deleted: one more than a page and a request hold', async () => {
  const keys = Array.from({ length: 1001 }, (_, at) => `many/${at}`)
  await forMany(keys, { concurrency: 32 }, (Key) => s3.send(new PutObjectCommand({ Bucket: bucket, Key, Body: 'x' })))
  const listed = await Array.fromAsync(listObjects(s3, bucket, 'many/'), ({ Key }) => Key)
  expect(listed).toEqual(keys.toSorted())
  expect(await deletePrefix(s3, bucket, 'many/')).toBe(1001)
  expect((await s3.send(new ListObjectsV2Command({ Bucket: bucket, Prefix: 'many/' }))).KeyCount).toBe(0)
})
