import { createHash } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import {
  crc32Of,
  crc32OfParts,
  isMd5,
  md5Of,
  md5OfParts,
  proofOf,
  type StoredChecksums,
  Verifier,
} from '../../src/storage/checksums.ts'

const parts = ['one ', 'two ', 'three'].map((text) => Buffer.from(text))
const whole = Buffer.concat(parts)
const crcOfParts = crc32OfParts(parts.map(crc32Of))
const etagOfParts = `"${md5OfParts(parts.map(md5Of))}"`
const etag = `"${md5Of(whole)}"`

function verify(stored: StoredChecksums, given = parts) {
  const verifier = new Verifier(stored)
  for (const part of given) verifier.add(part)
  return verifier.verify('x')
}

describe('checksums', () => {
  it('are those that S3 computes', () => {
    // The check value of CRC-32 is cbf43926.
    expect(crc32Of(Buffer.from('123456789'))).toBe(Buffer.from('cbf43926', 'hex').toString('base64'))
    expect(md5Of('hello')).toBe('5d41402abc4b2a76b9719d911017c592')
    const md5s = Buffer.concat(parts.map((part) => createHash('md5').update(part).digest()))
    expect(etagOfParts).toBe(`"${createHash('md5').update(md5s).digest('hex')}-3"`)
    expect(crcOfParts).toMatch(/^[\w+/]{6}==-3$/)
  })
})

describe('an ETag', () => {
  it.each([
    [etag, {}, true],
    [etag.replaceAll('"', ''), {}, true],
    [etagOfParts, { ServerSideEncryption: 'AES256' }, true],
    [etag, { ServerSideEncryption: 'aws:kms' }, false],
    [etag, { ServerSideEncryption: 'aws:kms:dsse' }, false],
    [etag, { SSEKMSKeyId: 'key' }, false],
    [etag, { SSECustomerAlgorithm: 'AES256' }, false],
    ['"0123"', {}, false],
    [`"${'0'.repeat(33)}"`, {}, false],
    [`x${etag}`, {}, false],
    [`${etag}x`, {}, false],
    ['', {}, false],
  ])('%s of an object with %j is, or is not, an MD5: %s', (given, encryption, expected) => {
    expect(isMd5(given, encryption)).toBe(expected)
  })
})

describe('what was read', () => {
  const known = { etag: etagOfParts, etagIsMd5: true, crc32: crcOfParts, partSize: 5 }

  it.each([
    ['CRC-32', known],
    ['CRC-32', { ...known, crc32: crc32Of(whole), partSize: undefined }],
    ['MD5', { ...known, crc32: undefined }],
    // The checksum of checksums needs the parts; the other one does not.
    ['MD5', { etag, etagIsMd5: true, crc32: crcOfParts, partSize: undefined }],
    ['MD5', { etag, etagIsMd5: true, crc32: undefined, partSize: 5 }],
  ] as const)('is proven by %s: %j', (proof, stored) => {
    expect(proofOf(stored)).toBe(proof)
    expect(verify(stored)).toBe(proof)
    const changed = [...parts.slice(1), Buffer.from('four')]
    expect(() => verify(stored, changed)).toThrow(/^x was damaged on the way: its checksum is .+, the store has/)
    expect(() => verify(stored, parts.toReversed())).toThrow(
      expect.objectContaining({ name: 'DamagedError', message: expect.stringContaining('x was damaged on the way') }),
    )
  })

  it.each([
    { etag, crc32: undefined, partSize: undefined },
    { etag, etagIsMd5: false, crc32: undefined, partSize: 5 },
    { etag: etagOfParts, etagIsMd5: true, crc32: undefined, partSize: undefined },
    { etag: etagOfParts, etagIsMd5: true, crc32: crcOfParts, partSize: undefined },
  ])('has nothing to be compared with: %j', (stored) => {
    expect(proofOf(stored)).toBeUndefined()
    expect(verify(stored, [Buffer.from('other')])).toBeUndefined()
  })

  it('is not compared with the checksum of other parts', () => {
    expect(verify(known, [whole])).toBeUndefined()
  })

  it('may be empty', () => {
    expect(verify({ etag: md5Of(''), etagIsMd5: true, crc32: undefined, partSize: 5 }, [])).toBe('MD5')
    expect(verify({ etag, crc32: 'AAAAAA==', partSize: 5 }, [])).toBe('CRC-32')
  })
})
