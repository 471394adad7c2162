import { GetObjectCommand, HeadObjectCommand, PutObjectCommand } from '@aws-sdk/client-s3'
import { getSignedUrl } from '@aws-sdk/s3-request-presigner'
import { describe, expect, it } from 'vitest'
import { s3Client } from '../../src/cloud/clients.ts'
import { usePracticeBucket } from '../fixtures/practice-bucket.ts'

const { place, s3, bucket } = await usePracticeBucket()

describe('signatures', () => {
  const keys = ['plain', 'a b', "odd/ü+&*'()!~=.txt", 'x?y#z%20']

  it.each(keys)('are accepted for the key %s, as the SDK signs it', async (Key) => {
    await s3.send(new PutObjectCommand({ Bucket: bucket, Key, Body: Key, Metadata: { two: 'a  b' } }))
    const url = await getSignedUrl(s3, new GetObjectCommand({ Bucket: bucket, Key }), { expiresIn: 60 })
    expect(await (await fetch(url)).text()).toBe(Key)
  })

  it('are refused for any other request, when they have expired, and when they are missing', async () => {
    await s3.send(new PutObjectCommand({ Bucket: bucket, Key: 'signed', Body: 'x' }))
    const get = new GetObjectCommand({ Bucket: bucket, Key: 'signed' })
    const url = await getSignedUrl(s3, get, { expiresIn: 60 })
    expect((await fetch(url.replace('signed', 'other'))).status).toBe(403)
    expect((await fetch(url, { method: 'DELETE' })).status).toBe(403)
    const old = await getSignedUrl(s3, get, { expiresIn: 60, signingDate: new Date(Date.now() - 61_000) })
    expect(await (await fetch(old)).text()).toContain('Request has expired')
    expect((await fetch(`${place.url}/${bucket}/signed`)).status).toBe(403)
    for (const wrong of ['%', '%E0%A4%A']) {
      expect((await fetch(url.replace(/(?<=X-Amz-Credential=)/, wrong))).status).toBe(403)
    }
    expect(await (await fetch(url)).text()).toBe('x')
  })

  it('are valid for only one pair of credentials', async () => {
    const credentials = { accessKeyId: place.credentials?.accessKeyId ?? '', secretAccessKey: 'another' }
    const head = new HeadObjectCommand({ Bucket: bucket, Key: 'signed' })
    await expect(s3Client({ ...place, credentials }).send(head)).rejects.toThrow('(403)')
  })
})
