/**
 * Checksums of objects and of their parts, as S3 writes them. For an object that was stored in parts, the store's
 * checksum is a checksum of the parts' checksums:
 * https://docs.aws.amazon.com/AmazonS3/latest/userguide/checking-object-integrity-upload.html
 */
import { createHash, hash } from 'node:crypto'
import { crc32 } from 'node:zlib'

/** Data was damaged on its way to or from the store: the checksums differ. */
export class DamagedError extends Error {
  override name = 'DamagedError'
}

/** CRC-32 as S3 writes it: four bytes in Base64. */
export function crc32Of(data: Uint8Array): string {
  return inBase64(crc32(data))
}

function inBase64(checksum: number): string {
  const four = Buffer.alloc(4)
  four.writeUInt32BE(checksum)
  return four.toString('base64')
}

/** S3's composite checksum: the checksum of the parts' checksums, and their number. */
export function crc32OfParts(checksums: string[]): string {
  const joined = Buffer.concat(checksums.map((checksum) => Buffer.from(checksum, 'base64')))
  return `${crc32Of(joined)}-${checksums.length}`
}

/** MD5 in hexadecimal digits, which is the ETag of an object, or of a part, that was stored in one piece. */
export function md5Of(data: Uint8Array | string): string {
  return hash('md5', data)
}

/** The ETag of an object in parts, from the parts' ETags. No store promises this form, but all of them use it. */
export function md5OfParts(etags: string[]): string {
  const joined = Buffer.concat(etags.map((etag) => Buffer.from(unquoted(etag), 'hex')))
  return `${md5Of(joined)}-${etags.length}`
}

/** An ETag without the quotes that HTTP wants around it. */
export const unquoted = (etag: string) => etag.replaceAll('"', '')

/** Throws a DamagedError unless the store has the checksum that we computed. ETags may be in quotes. */
export function requireSame(computed: string, received: string, what: string): void {
  const stored = unquoted(received)
  if (stored === computed) return
  throw new DamagedError(`${what} was damaged on the way: its checksum is ${computed}, the store has ${stored}`)
}

/** What the store says about an object. */
export interface StoredChecksums {
  etag: string
  /**
   * Whether the ETag is made of MD5s. With the owner's own key (SSE-KMS, SSE-C) it looks the same and is something else.
   * Unless this is true, the ETag proves nothing.
   */
  etagIsMd5?: boolean | undefined
  /** CRC-32 of the whole object (`…`), or of its parts' CRC-32 (`…-3`). Undefined where the store keeps none. */
  crc32: string | undefined
  /** Bytes in a part. Undefined when we do not know how the object was divided. */
  partSize: number | undefined
}

/** What a store's answer says about the encryption of an object. */
export interface Encryption {
  ServerSideEncryption?: string
  SSEKMSKeyId?: string
  SSECustomerAlgorithm?: string
}

/**
 * Whether an ETag is the MD5 of what was stored, or of its parts' MD5s. Stores with other ETags have longer or shorter
 * ones.
 */
export function isMd5(etag: string, { ServerSideEncryption = '', SSEKMSKeyId, SSECustomerAlgorithm }: Encryption) {
  if (ServerSideEncryption.startsWith('aws:') || SSEKMSKeyId || SSECustomerAlgorithm) return false
  return /^"?[0-9a-f]{32}(-\d+)?"?$/.test(etag)
}

/** Which checksum of the store can prove an object right. Undefined when it has none that we can compute. */
export function proofOf({ etag, etagIsMd5, crc32, partSize }: StoredChecksums): 'CRC-32' | 'MD5' | undefined {
  // For a checksum of checksums, we must know the parts.
  const computable = (checksum: string) => !checksum.includes('-') || partSize !== undefined
  if (crc32 && computable(crc32)) return 'CRC-32'
  return etagIsMd5 && computable(etag) ? 'MD5' : undefined
}

/**
 * Compares the parts of an object, as they were read, with the store's checksum. Computes that one and no other: MD5 takes
 * several times as long as CRC-32.
 */
export class Verifier {
  readonly #proof: ReturnType<typeof proofOf>
  readonly #expected: string
  /** How many parts the checksum is made of; undefined if it is one of the whole. */
  readonly #parts: number | undefined
  /** Of each part. */
  readonly #checksums: string[] = []
  #crc32 = 0
  readonly #md5 = createHash('md5')

  constructor(stored: StoredChecksums) {
    this.#proof = proofOf(stored)
    this.#expected = (this.#proof === 'CRC-32' ? stored.crc32 : stored.etag) ?? ''
    const [, parts] = /-(\d+)"?$/.exec(this.#expected) ?? []
    this.#parts = parts === undefined ? undefined : Number(parts)
  }

  /** Adds the next part. */
  add(part: Uint8Array) {
    const isOfParts = this.#parts !== undefined
    if (this.#proof === 'CRC-32') {
      if (isOfParts) this.#checksums.push(crc32Of(part))
      else this.#crc32 = crc32(part, this.#crc32)
    } else if (this.#proof === 'MD5') {
      if (isOfParts) this.#checksums.push(md5Of(part))
      else this.#md5.update(part)
    }
  }

  /**
   * Returns the checksum that proves the parts right, or undefined when the store has none that could.
   *
   * @throws DamagedError when the parts are not those of the object
   */
  verify(name: string): 'CRC-32' | 'MD5' | undefined {
    // A tool that copies objects keeps their metadata and may choose other parts.
    if (!this.#proof || (this.#parts ?? this.#checksums.length) !== this.#checksums.length) return undefined
    const ofParts = this.#proof === 'CRC-32' ? crc32OfParts : md5OfParts
    const ofWhole = () => (this.#proof === 'CRC-32' ? inBase64(this.#crc32) : this.#md5.copy().digest('hex'))
    requireSame(this.#parts === undefined ? ofWhole() : ofParts(this.#checksums), this.#expected, name)
    return this.#proof
  }
}
