import { createHash, createHmac } from 'node:crypto'
import { GetObjectCommand, HeadObjectCommand, PutObjectCommand } from '@aws-sdk/client-s3'
import { getSignedUrl } from '@aws-sdk/s3-request-presigner'
import { describe, expect, it } from 'vitest'
import { s3Client } from '../../src/cloud/clients.ts'
import { refuse } from '../../src/local/signature.ts'
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

describe('a presigned request', () => {
  const now = Date.parse('2026-11-29T03:00:10Z')
  const own = { accessKeyId: 'id', secretAccessKey: 'secret' }
  const hmac = (key: string | Buffer, text: string) => createHmac('sha256', key).update(text).digest()

  function refusalOf({ expires = '60', date = '20261129T030000Z', day = '', end = 'aws4_request' }) {
    const ofDay = day || date.slice(0, 8)
    const scope = [ofDay, 'us-east-1', 's3', end]
    const query = [
      'X-Amz-Algorithm=AWS4-HMAC-SHA256',
      `X-Amz-Credential=${encodeURIComponent(['id', ...scope].join('/'))}`,
      `X-Amz-Date=${date}`,
      `X-Amz-Expires=${expires}`,
      'X-Amz-SignedHeaders=host',
      'prefix=a%3Fb',
    ].join('&')
    const canonical = ['GET', '/b', query, 'host:h', '', 'host', 'UNSIGNED-PAYLOAD'].join('\n')
    const hash = createHash('sha256').update(canonical).digest('hex')
    const signature = hmac(
      [ofDay, 'us-east-1', 's3', 'aws4_request'].reduce<string | Buffer>(hmac, 'AWS4secret'),
      ['AWS4-HMAC-SHA256', date, scope.join('/'), hash].join('\n'),
    )
    // The question mark as some clients send it.
    const url = `/b?${query.replace('%3F', '?')}&X-Amz-Signature=${signature.toString('hex')}`
    return refuse({ method: 'GET', url, headers: { host: 'h' } }, own, now)?.message
  }

  it('is accepted for at most a week from its time on', () => {
    for (const expires of ['60', '604800']) expect(refusalOf({ expires })).toBeUndefined()
    for (const expires of ['abc', 'Infinity', '', '-5', '1e9', '604801']) {
      expect(refusalOf({ expires })).toBe('X-Amz-Expires must be a number of seconds, at most 604800')
    }
    expect(refusalOf({ expires: '9' })).toBe('Request has expired')
    expect(refusalOf({ date: '20261129T031000Z' })).toBeUndefined()
    expect(refusalOf({ date: '20271129T030000Z' })).toBe('Request is not valid yet')
  })

  it('is accepted only with a credential for its day', () => {
    for (const scope of [{ day: '20200101' }, { end: 'aws3_request' }, { end: 'aws4_request/more' }]) {
      expect(refusalOf(scope)).toMatch('The credential must be scoped to the day of the request')
    }
  })
})
