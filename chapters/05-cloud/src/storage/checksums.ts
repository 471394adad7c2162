/**
 * Checksums of objects and of their parts, as S3 writes them. For an object that was stored in parts, the store's
 * checksum is a checksum of the parts' checksums:
 * https://docs.aws.amazon.com/AmazonS3/latest/userguide/checking-object-integrity-upload.html
 */
import { hash } from 'node:crypto'
import { crc32 } from 'node:zlib'

/** Data was damaged on its way to or from the store: the checksums differ. */
export class DamagedError extends Error {
  override name = 'DamagedError'
}

/** CRC-32 as S3 writes it: four bytes in Base64. */
export function crc32Of(data: Uint8Array): string {
  const four = Buffer.alloc(4)
  four.writeUInt32BE(crc32(data))
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
  const joined = Buffer.concat(etags.map((etag) => Buffer.from(etag.replaceAll('"', ''), 'hex')))
  return `${md5Of(joined)}-${etags.length}`
}

/** Throws a DamagedError unless the store has the checksum that we computed. ETags may be in quotes. */
export function requireSame(computed: string, received: string, what: string): void {
  const stored = received.replaceAll('"', '')
  if (stored === computed) return
  throw new DamagedError(`${what} was damaged on the way: its checksum is ${computed}, the store has ${stored}`)
}

/** What the store says about an object. */
export interface StoredChecksums {
  etag: string
  /** CRC-32 of the whole object (`…`), or of its parts' CRC-32 (`…-3`). Undefined where the store keeps none. */
  crc32: string | undefined
  /** Bytes in a part. Undefined when we do not know how the object was divided. */
  partSize: number | undefined
}

/** Compares the parts of an object, as they were read, with the store's checksums. */
export class Verifier {
  readonly #crc32: string[] = []
  readonly #md5: string[] = []

  /** Adds the next part. */
  add(part: Uint8Array) {
    this.#crc32.push(crc32Of(part))
    this.#md5.push(md5Of(part))
  }

  /**
   * Returns the checksum that proves the parts right, or undefined when the object was not stored in these parts.
   *
   * @throws DamagedError when the parts are not those of the object
   */
  verify(name: string, { etag, crc32, partSize }: StoredChecksums): 'CRC-32' | 'MD5' | undefined {
    const inParts = etag.includes('-')
    if (inParts && partSize === undefined) return undefined
    if (!inParts && this.#md5.length > 1) return undefined
    // An object in parts may have a CRC-32 of the whole, without a number of parts. Checksums of parts cannot confirm
    // that.
    if (crc32 && crc32.includes('-') === inParts) {
      requireSame((inParts ? crc32OfParts(this.#crc32) : this.#crc32[0]) ?? crc32Of(new Uint8Array()), crc32, name)
      return 'CRC-32'
    }
    requireSame(inParts ? md5OfParts(this.#md5) : (this.#md5[0] ?? md5Of('')), etag, name)
    return 'MD5'
  }
}
