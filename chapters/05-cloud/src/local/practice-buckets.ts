/**
 * The practice cloud's buckets: fauxqs, corrected where it does not behave like Amazon's S3.
 *
 * Its store lists keys in one order and looks for the next page in another, so pages lose keys. It takes a request that
 * it does not know for one that it knows: setting the tags of an object overwrites the object. It lists no unfinished
 * uploads, ignores conditions, describes a whole object when asked for a part, and stores what does not have the
 * checksum that came with it.
 * tests/local/s3-behaviours.ts has a row for each rule, and compares the answers of all our stores.
 */
import { createHash } from 'node:crypto'
import type { IncomingHttpHeaders } from 'node:http'
import { crc32 } from 'node:zlib'
import { buildApp } from 'fauxqs'
// The package takes stores of these classes, and exports none of them.
import { S3Error, SqsError } from '../../node_modules/fauxqs/dist/common/errors.js'
import { decodeAwsChunked } from '../../node_modules/fauxqs/dist/s3/chunkedEncoding.js'
import { S3Store } from '../../node_modules/fauxqs/dist/s3/s3Store.js'
import { SnsStore } from '../../node_modules/fauxqs/dist/sns/snsStore.js'
import { SqsStore } from '../../node_modules/fauxqs/dist/sqs/sqsStore.js'
import { INVALID_MESSAGE_BODY_CHAR } from '../../node_modules/fauxqs/dist/sqs/sqsTypes.js'
import { requireQueueLimits } from './practice-queues.ts'

/** What we need of Fastify's request. */
interface Request {
  method: string
  params: unknown
  query: unknown
  headers: IncomingHttpHeaders
  body: unknown
}

/** What we need of Fastify's reply. */
interface Reply {
  status: (code: number) => Reply
  headers: (headers: Record<string, string>) => Reply
  send: (body: unknown) => unknown
}

interface Upload {
  id: string
  bucket: string
  key: string
  initiated: Date
  parts: Map<number, { number: number; bytes: number; etag: string; modified: Date }>
}

/** A store that checks what it is given, and can say which uploads are unfinished. */
class PracticeStore extends S3Store {
  readonly uploads = new Map<string, Upload>()
  /** The XML of a bucket's settings: `bucket?tagging`. */
  readonly settings = new Map<string, string>()

  override putObject(...args: Parameters<S3Store['putObject']>): ReturnType<S3Store['putObject']> {
    const [, , body, , , , checksum] = args
    if (checksum?.type === 'FULL_OBJECT') requireChecksum(body, checksum.value)
    return super.putObject(...args)
  }

  override createMultipartUpload(...args: Parameters<S3Store['createMultipartUpload']>): string {
    const id = super.createMultipartUpload(...args)
    const [bucket, key] = args
    this.uploads.set(id, { id, bucket, key, initiated: new Date(), parts: new Map() })
    return id
  }

  override uploadPart(id: string, number: number, body: Buffer, checksum?: string) {
    if (checksum) requireChecksum(body, checksum)
    const part = super.uploadPart(id, number, body, checksum)
    this.uploads.get(id)?.parts.set(number, { number, bytes: body.length, etag: part.etag, modified: new Date() })
    return part
  }

  override completeMultipartUpload(...[id, parts]: Parameters<S3Store['completeMultipartUpload']>) {
    if (parts.length === 0) throw new S3Error('MalformedXML', 'The list of parts is empty', 400)
    // The package knows the entities of XML by name; rclone writes them as numbers.
    const read = parts.map((part) => ({ ...part, etag: textOf(part.etag) }))
    const object = super.completeMultipartUpload(id, read)
    this.uploads.delete(id)
    return object
  }

  override abortMultipartUpload(id: string): void {
    super.abortMultipartUpload(id)
    this.uploads.delete(id)
  }

  override deleteBucket(name: string): void {
    if (this.hasBucket(name) && this.listObjects(name, { maxKeys: 1 }).objects.length === 0) {
      for (const { id, bucket } of [...this.uploads.values()]) if (bucket === name) this.abortMultipartUpload(id)
    }
    super.deleteBucket(name)
    for (const setting of this.settings.keys()) if (setting.startsWith(`${name}?`)) this.settings.delete(setting)
  }
}

/** Throws unless data has a checksum in Base64, whose length tells CRC-32, SHA-1 and SHA-256 apart. */
function requireChecksum(data: Uint8Array, checksum: string) {
  const bytes = Buffer.from(checksum, 'base64').length
  const four = Buffer.alloc(4)
  four.writeUInt32BE(crc32(data))
  const computed = bytes === 4 ? four.toString('base64') : digest(bytes === 20 ? 'sha1' : 'sha256', data, 'base64')
  if (computed !== checksum) {
    throw new S3Error('BadDigest', 'The checksum you specified did not match the calculated checksum.', 400)
  }
}

const digest = (algorithm: string, data: Uint8Array, encoding: 'base64' | 'hex') =>
  createHash(algorithm).update(data).digest(encoding)

/** Subresources that change or return something else than the object or the list of objects. */
const missing = [
  ...['abac', 'accelerate', 'acl', 'analytics', 'cors', 'encryption', 'intelligent-tiering', 'inventory', 'legal-hold'],
  ...['logging', 'metadataTable', 'metrics', 'notification', 'object-lock', 'ownershipControls', 'policy'],
  ...['policyStatus', 'replication', 'requestPayment', 'restore', 'retention', 'select', 'session', 'torrent'],
  ...['versionId', 'versioning', 'versions', 'website'],
]

/** Headers that ask for more than to store the object. */
const missingHeaders =
  /^x-amz-(acl|grant-.*|tagging|object-lock-.*|(copy-source-)?server-side-encryption-customer-.*|website-redirect-location|write-offset-bytes)$/

/** Settings of a bucket that the store keeps. Nothing here is public, so blocking public access needs nothing more. */
const kept = ['tagging', 'publicAccessBlock']

const mostKeys = 1000
const longestKey = 1024
/** Bytes of names and values. */
const mostMetadata = 2048

/** Returns fauxqs as a Fastify application that follows S3's rules. */
export function practiceApp(): ReturnType<typeof buildApp> {
  const store = new PracticeStore()
  const app = buildApp({
    logger: false,
    stores: { s3Store: store, sqsStore: new SqsStore(), snsStore: new SnsStore() },
  })
  // fauxqs takes half of an emoji for a character that SQS does not allow.
  INVALID_MESSAGE_BODY_CHAR.test = (body) => /[^\t\n\r -\ud7ff\ue000-\ufffd\u{10000}-\u{10ffff}]/u.test(body)
  // An object may be larger than fauxqs allows, and may have any type.
  for (const type of ['*', 'application/x-www-form-urlencoded', 'application/x-amz-json-1.0']) {
    app.removeContentTypeParser(type)
    app.addContentTypeParser(type, { parseAs: 'buffer', bodyLimit: 2 ** 30 }, (request, body, done) => {
      if (type === '*' || request.raw.url !== '/') return done(null, body)
      const text = body.toString()
      try {
        done(null, type.includes('json') ? JSON.parse(text) : Object.fromEntries(new URLSearchParams(text)))
      } catch (error) {
        done(error as Error)
      }
    })
  }
  // Calls `done` at once, so that nothing happens between checking a condition and storing the object.
  app.addHook('preHandler', (request, reply, done) => {
    if (!request.routeOptions.url?.startsWith('/:bucket')) return answerQueues(request, reply, done)
    try {
      const xml = answer(request, store)
      if (xml === undefined) return done()
      reply
        .header('content-type', 'application/xml')
        .status(xml === '' ? 204 : 200)
        .send(xml)
    } catch (error) {
      if (!(error instanceof S3Error)) return done(error as Error)
      const body = request.method === 'HEAD' ? '' : error.toXml()
      reply.header('content-type', 'application/xml').status(error.statusCode).send(body)
    }
  })
  app.addHook('onSend', (request, reply, _payload, done) => {
    // The SDK makes the error's name of it, and SQS puts its own name only before those of its interface.
    const error = /^AWS\.SimpleQueueService\.((?:Invalid(?:ParameterValue|Attribute|Message)|MissingParameter).*)$/
    const [, name] = error.exec(String(reply.getHeader('x-amzn-query-error'))) ?? []
    if (name) reply.header('x-amzn-query-error', name)
    if (request.method === 'HEAD' && reply.statusCode === 200) {
      const part = partAsked(request, store)
      if (part) reply.status(206).headers(part)
      // A checksum of the whole object, and S3 tells the number of parts only to those who name one.
      const wrong = part ? 'x-amz-checksum-crc32' : 'x-amz-mp-parts-count'
      reply.removeHeader(wrong)
    }
    if (request.method === 'GET' && [200, 206].includes(reply.statusCode)) {
      for (const [name, value] of Object.entries(queryOf(request))) {
        if (/^response-(content-|cache-control|expires)/.test(name)) reply.header(name.slice('response-'.length), value)
      }
    }
    done()
  })
  return app
}

/** Refuses what SQS refuses; fauxqs answers the rest. */
function answerQueues(request: Request, reply: Reply, done: (error?: Error) => void) {
  const [, action = ''] = /^AmazonSQS\.(\w+)$/.exec(String(request.headers['x-amz-target'])) ?? []
  try {
    requireQueueLimits(action, request.body ?? {})
    done()
  } catch (error) {
    if (!(error instanceof SqsError)) return done(error as Error)
    reply
      .status(error.statusCode)
      .headers({ 'content-type': 'application/x-amz-json-1.0', 'x-amzn-query-error': error.queryErrorHeader })
      .send(error.toJSON())
  }
}

type Query = Record<string, string | undefined>

function queryOf(request: Request): Query {
  return Object.fromEntries(
    Object.entries(request.query as object).map(([name, value]) => [name, [value].flat().at(-1)]),
  )
}

/** The answer to a request that fauxqs answers wrong, as XML. Throws an S3Error to refuse it. Undefined to pass it on. */
function answer(request: Request, store: PracticeStore): string | undefined {
  const { bucket = '', '*': key = '' } = request.params as { bucket?: string; '*'?: string }
  const query = queryOf(request)
  const { method } = request
  const subresource = missing.find((name) => name in query)
  if (subresource) throw new S3Error('NotImplemented', `The practice cloud does not know ${subresource}.`, 501)
  const header = Object.keys(request.headers).find((name) => missingHeaders.test(name))
  if (header) throw new S3Error('NotImplemented', `The practice cloud does not know ${header}.`, 501)
  // A signed URL carries metadata in its query.
  for (const [name, value] of Object.entries(query)) if (name.startsWith('x-amz-meta-')) request.headers[name] = value
  if (Buffer.byteLength(key) > longestKey) throw new S3Error('KeyTooLongError', 'Your key is too long', 400)
  if (method === 'PUT') request.body ??= Buffer.alloc(0)
  requireIntact(request)
  unchunk(request)
  // fauxqs says that it does not exist.
  if (!store.hasBucket(bucket)) return undefined
  return key ? objectAnswer(request, store, { bucket, key, query }) : bucketAnswer(request, store, { bucket, query })
}

/**
 * Takes a stream's body out of the chunks in which it is sent, with the checksum behind them. fauxqs does so, too, but then
 * forgets the object's own encoding: `gzip` of `gzip, aws-chunked`.
 */
function unchunk(request: Request) {
  const { headers, body } = request
  const encodings = headers['content-encoding']?.split(/ *, */) ?? []
  if (!(Buffer.isBuffer(body) && encodings.includes('aws-chunked'))) return
  const decoded = decodeAwsChunked(body)
  request.body = decoded.body
  Object.assign(headers, decoded.trailers)
  headers['content-encoding'] = encodings.filter((name) => name !== 'aws-chunked').join(',') || undefined
}

/** Throws when the body is not the one that was sent, by its MD5 or the SHA-256 that is part of the signature. */
function requireIntact({ headers, body }: Request) {
  if (!Buffer.isBuffer(body) || headers['content-encoding']?.includes('aws-chunked')) return
  const md5 = headers['content-md5']
  if (md5 && Buffer.from(String(md5), 'base64').length !== 16) {
    throw new S3Error('InvalidDigest', 'The Content-MD5 you specified is not valid.', 400)
  }
  if (md5 && digest('md5', body, 'base64') !== md5) {
    throw new S3Error('BadDigest', 'The Content-MD5 you specified did not match what we received.', 400)
  }
  const sha256 = String(headers['x-amz-content-sha256'])
  if (/^[0-9a-f]{64}$/.test(sha256) && digest('sha256', body, 'hex') !== sha256) {
    throw new S3Error('XAmzContentSHA256Mismatch', 'The provided x-amz-content-sha256 header does not match.', 400)
  }
}

function bucketAnswer(
  { method, body, headers }: Request,
  store: PracticeStore,
  { bucket, query }: { bucket: string; query: Query },
): string | undefined {
  const setting = kept.find((name) => name in query)
  if (setting) {
    const name = `${bucket}?${setting}`
    if (method === 'PUT') store.settings.set(name, String(body))
    if (method === 'DELETE') store.settings.delete(name)
    if (method !== 'GET') return ''
    const xml = store.settings.get(name)
    if (!xml)
      throw new S3Error(setting === 'tagging' ? 'NoSuchTagSet' : 'NoSuchPublicAccessBlockConfiguration', '', 404)
    return xml
  }
  if (method === 'GET' && 'location' in query) return document('LocationConstraint')
  if (method === 'GET' && 'uploads' in query) return uploadsOf(store, bucket, query)
  if (method === 'GET' && !('lifecycle' in query)) return listing(store, bucket, query)
  if (method === 'POST' && !headers['content-type']?.startsWith('multipart/form-data')) {
    return deleted(store, bucket, String(body))
  }
  return undefined
}

function objectAnswer(
  { method, headers }: Request,
  store: PracticeStore,
  { bucket, key, query }: { bucket: string; key: string; query: Query },
): string | undefined {
  if ('tagging' in query) throw new S3Error('NotImplemented', 'The practice cloud keeps no tags of objects.', 501)
  const existing = find(store, bucket, key)
  const { uploadId } = query
  if (uploadId !== undefined) {
    const upload = store.uploads.get(uploadId)
    if (upload?.bucket !== bucket || upload.key !== key) {
      throw new S3Error('NoSuchUpload', 'The specified multipart upload does not exist.', 404)
    }
    if (method === 'GET') return partsOf(upload, query)
  }
  const number = Number(query.partNumber ?? (method === 'PUT' && uploadId !== undefined ? 0 : 1))
  if (!(Number.isInteger(number) && number >= 1 && number <= 10_000)) {
    throw new S3Error('InvalidArgument', 'Part number must be an integer between 1 and 10000, inclusive', 400)
  }
  const reads = method === 'GET' || method === 'HEAD'
  const deletes = method === 'DELETE' && uploadId === undefined
  const writes = method === (uploadId === undefined ? 'PUT' : 'POST')
  if ((writes || deletes) && headers['if-match'] && !existing) {
    throw deletes ? preconditionFailed() : new S3Error('NoSuchKey', 'The specified key does not exist.', 404)
  }
  if (reads || writes || deletes) requireConditions(headers, existing, { prefix: 'if-', reads })
  const metadata = Object.entries(headers).filter(([name]) => name.startsWith('x-amz-meta-'))
  if (writes && Buffer.byteLength(metadata.flat().join('').replaceAll('x-amz-meta-', '')) > mostMetadata) {
    throw new S3Error('MetadataTooLarge', 'Your metadata headers exceed the maximum allowed metadata size', 400)
  }
  const source = headers['x-amz-copy-source']
  if (source) {
    if (/\?versionId=(?!null$)/.test(String(source))) {
      throw new S3Error('NotImplemented', 'The practice cloud keeps no versions of objects.', 501)
    }
    headers['x-amz-copy-source'] = String(source).replace(/\?versionId=null$/, '')
    const [fromBucket = '', ...rest] = sourceOf(String(headers['x-amz-copy-source'])).split('/')
    const fromKey = rest.join('/')
    const copied = find(store, fromBucket, fromKey)
    requireConditions(headers, copied, { prefix: 'x-amz-copy-source-if-', reads: false })
    const last = /-(\d+)$/.exec(String(headers['x-amz-copy-source-range'] ?? ''))?.[1]
    const size = copied?.contentLength ?? Infinity
    if (Number(last) >= size) {
      throw new S3Error('InvalidArgument', `Range specified is not valid for source object of size: ${size}`, 400)
    }
    const isItself = fromBucket === bucket && fromKey === key
    if (uploadId === undefined && isItself && !headers['x-amz-metadata-directive']) {
      throw new S3Error('InvalidRequest', 'This copy request is illegal: it copies an object to itself unchanged.', 400)
    }
  }
  const numbers = existing?.parts?.map(({ partNumber }) => partNumber) ?? [1]
  if (reads && existing && query.partNumber && !numbers.includes(number)) {
    throw new S3Error('InvalidPartNumber', 'The requested partnumber is not satisfiable', 416)
  }
  // fauxqs refuses ranges that S3 cuts or ignores.
  const suffix = /^bytes=-(\d+)$/.exec(headers.range ?? '')?.[1]
  if (headers.range && existing) {
    if (suffix && Number(suffix) > existing.contentLength && existing.contentLength > 0) headers.range = 'bytes=0-'
    else if (!suffix && !/^bytes=\d+-\d*$/.test(headers.range)) delete headers.range
    if (method === 'HEAD' && headers.range && !rangeOf(headers.range, existing.contentLength)) {
      throw new S3Error('InvalidRange', 'The requested range is not satisfiable', 416)
    }
  }
  return undefined
}

/** The bytes that `bytes=5-9`, `bytes=5-` or `bytes=-5` means; undefined if an object of this size has none of them. */
function rangeOf(range: string, size: number): { offset: number; length: number } | undefined {
  const [first = '', last = ''] = range.slice('bytes='.length).split('-')
  const offset = first === '' ? Math.max(size - Number(last), 0) : Number(first)
  const end = first === '' || last === '' ? size : Math.min(Number(last) + 1, size)
  return offset < end ? { offset, length: end - offset } : undefined
}

/** The headers that describe a part or a range of an object, where a request names one. */
function partAsked(request: Request, store: PracticeStore): Record<string, string | number> | undefined {
  const { bucket = '', '*': key = '' } = request.params as { bucket?: string; '*'?: string }
  const { partNumber } = queryOf(request)
  const { range } = request.headers
  const object = partNumber === undefined && !range ? undefined : find(store, bucket, key)
  if (!object) return undefined
  const { contentLength: size, parts } = object
  const asked =
    partNumber === undefined
      ? rangeOf(range ?? '', size)
      : parts?.find((part) => part.partNumber === Number(partNumber))
  const { offset, length } = asked ?? { offset: 0, length: size }
  return {
    'content-length': length,
    ...(length > 0 && { 'content-range': `bytes ${offset}-${offset + length - 1}/${size}` }),
  }
}

const conditions = ['match', 'none-match', 'unmodified-since', 'modified-since']

/**
 * Throws unless the conditions in a request's headers hold for an object, and takes them out: fauxqs has a few of them,
 * and compares times more finely than HTTP writes them.
 */
function requireConditions(
  headers: IncomingHttpHeaders,
  object: { etag: string; lastModified: Date } | undefined,
  { prefix, reads }: { prefix: string; reads: boolean },
) {
  const [match, noneMatch, unmodifiedSince, modifiedSince] = conditions.map((condition) => {
    const value = headers[prefix + condition]
    delete headers[prefix + condition]
    return value && String(value)
  })
  if (!object) return
  const isSame = (etag: string) => etag === '*' || etag.replaceAll('"', '') === object.etag.replaceAll('"', '')
  const seconds = Math.floor(object.lastModified.getTime() / 1000)
  // An ETag says more than a time, which then does not count. A time that is none does not either.
  const isOther = match ? !isSame(match) : seconds > Date.parse(unmodifiedSince ?? '') / 1000
  if (isOther) throw preconditionFailed()
  const isKnown = noneMatch ? isSame(noneMatch) : seconds <= Date.parse(modifiedSince ?? '') / 1000
  if (isKnown) throw reads ? new S3Error('NotModified', 'Not Modified', 304) : preconditionFailed()
}

const preconditionFailed = () =>
  new S3Error('PreconditionFailed', 'At least one of the pre-conditions you specified did not hold', 412)

/** The bucket and key that a copy is made of. */
function sourceOf(header: string): string {
  try {
    return decodeURIComponent(header).replace(/^\//, '')
  } catch {
    throw new S3Error('InvalidArgument', 'Invalid copy source encoding.', 400)
  }
}

function find(store: PracticeStore, bucket: string, key: string) {
  try {
    return store.headObject(bucket, key)
  } catch {
    return undefined
  }
}

/** The order of S3 is that of the UTF-8 bytes. JavaScript's differs above U+FFFF. */
const inBytes = (text: string) => Buffer.from(text).toString('latin1')

/** One page of a listing, in both versions of the request. */
function listing(store: PracticeStore, bucket: string, query: Query): string {
  const { prefix = '', delimiter = '', marker = '', 'start-after': startAfter = '' } = query
  const token = query['continuation-token']
  const isV2 = query['list-type'] === '2'
  if (
    isV2 &&
    token !== undefined &&
    (token === '' || Buffer.from(token, 'base64url').toString('base64url') !== token)
  ) {
    throw new S3Error('InvalidArgument', 'The continuation token provided is incorrect', 400)
  }
  const limit = limitOf(query, 'max-keys')
  const last = isV2 ? (token ? Buffer.from(token, 'base64url').toString() : startAfter) : marker
  const encode = encodingOf(query)
  const objects = store
    .listObjects(bucket, { prefix, maxKeys: Number.POSITIVE_INFINITY })
    .objects.map((object) => ({ ...object, order: inBytes(object.key) }))
    .filter(({ order }) => order > inBytes(last))
  // A group that has the name of the key to start after is listed.
  const ended = isV2 && token === undefined ? '' : last
  const { page, isTruncated } = pageOf(objects, { prefix, delimiter, limit, ended })
  const next = isTruncated ? (page.at(-1)?.name ?? '') : undefined
  return document(
    'ListBucketResult',
    element('Name', bucket),
    element('Prefix', encode(prefix)),
    delimiter && element('Delimiter', encode(delimiter)),
    element('MaxKeys', limit),
    element('IsTruncated', isTruncated),
    query['encoding-type'] === 'url' && element('EncodingType', 'url'),
    isV2 ? element('KeyCount', page.length) : element('Marker', encode(marker)),
    isV2 && startAfter && element('StartAfter', encode(startAfter)),
    isV2 && token && element('ContinuationToken', token),
    next !== undefined && isV2 && element('NextContinuationToken', Buffer.from(next).toString('base64url')),
    // Without a delimiter, version 1 goes on after the last key, and says so nowhere.
    next !== undefined && !isV2 && delimiter && element('NextMarker', encode(next)),
    ...page.map(({ name, item }) => {
      if (!item) return group(encode(name))
      const content = [
        element('Key', encode(name)),
        element('LastModified', item.lastModified.toISOString()),
        element('ETag', item.etag),
        element('Size', item.contentLength),
        element('StorageClass', 'STANDARD'),
      ]
      return `<Contents>${content.join('')}</Contents>`
    }),
  )
}

/** What a page of a listing has of a key, or of a group of keys, which has no item of its own. */
interface Entry<Item> {
  name: string
  item: Item | undefined
}

const group = (name: string) => `<CommonPrefixes>${element('Prefix', name)}</CommonPrefixes>`

/**
 * Returns one page of a listing. Keys that have the delimiter behind the prefix are in a group, which is one entry.
 *
 * @param ended the name with which the page before ended: if it is a group's, the group is not begun again
 */
function pageOf<Item extends { key: string; order: string }>(
  items: Item[],
  { prefix, delimiter, limit, ended }: { prefix: string; delimiter: string; limit: number; ended: string },
): { page: Entry<Item>[]; isTruncated: boolean } {
  const page: Entry<Item>[] = []
  for (const item of items.toSorted((a, b) => (a.order < b.order ? -1 : 1))) {
    const cut = delimiter === '' ? -1 : item.key.indexOf(delimiter, prefix.length)
    const name = cut < 0 ? item.key : item.key.slice(0, cut + delimiter.length)
    if (cut >= 0 && (name === ended || name === page.at(-1)?.name)) continue
    if (page.length === limit) return { page, isTruncated: limit > 0 }
    page.push({ name, item: cut < 0 ? item : undefined })
  }
  return { page, isTruncated: false }
}

function uploadsOf(store: PracticeStore, bucket: string, query: Query): string {
  const { prefix = '', delimiter = '', 'key-marker': keyMarker = '', 'upload-id-marker': idMarker = '' } = query
  const limit = limitOf(query, 'max-uploads')
  const encode = encodingOf(query)
  const orderOf = ({ key, id }: Pick<Upload, 'key' | 'id'>) => `${inBytes(key)}\0${id}`
  // Without an id, all uploads to the marker's key are skipped.
  const after = keyMarker === '' ? '' : orderOf({ key: keyMarker, id: idMarker || '\u{ff}' })
  const uploads = [...store.uploads.values()]
    .filter((upload) => upload.bucket === bucket && upload.key.startsWith(prefix))
    .map((upload) => ({ ...upload, order: orderOf(upload) }))
    .filter(({ order }) => order > after)
  const { page, isTruncated } = pageOf(uploads, { prefix, delimiter, limit, ended: keyMarker })
  const last = isTruncated ? page.at(-1) : undefined
  return document(
    'ListMultipartUploadsResult',
    element('Bucket', bucket),
    element('Prefix', encode(prefix)),
    delimiter && element('Delimiter', encode(delimiter)),
    element('KeyMarker', encode(keyMarker)),
    element('UploadIdMarker', idMarker),
    element('MaxUploads', limit),
    element('IsTruncated', isTruncated),
    query['encoding-type'] === 'url' && element('EncodingType', 'url'),
    last && element('NextKeyMarker', encode(last.name)),
    last?.item && element('NextUploadIdMarker', last.item.id),
    ...page.map(({ name, item }) => {
      if (!item) return group(encode(name))
      const { id, initiated } = item
      const upload = [
        element('Key', encode(name)),
        element('UploadId', id),
        element('Initiated', initiated.toISOString()),
      ]
      return `<Upload>${upload.join('')}</Upload>`
    }),
  )
}

function partsOf({ id, bucket, key, parts }: Upload, query: Query): string {
  const limit = limitOf(query, 'max-parts')
  const after = Number(query['part-number-marker'] ?? 0)
  const all = [...parts.values()].filter(({ number }) => number > after).sort((a, b) => a.number - b.number)
  const page = all.slice(0, limit)
  const isTruncated = page.length < all.length
  return document(
    'ListPartsResult',
    element('Bucket', bucket),
    element('Key', key),
    element('UploadId', id),
    element('PartNumberMarker', after),
    element('MaxParts', limit),
    element('IsTruncated', isTruncated),
    isTruncated && element('NextPartNumberMarker', page.at(-1)?.number ?? after),
    ...page.map(({ number, bytes, etag, modified }) => {
      const part = [element('PartNumber', number), element('ETag', etag), element('Size', bytes)]
      return `<Part>${part.join('')}${element('LastModified', modified.toISOString())}</Part>`
    }),
  )
}

/** Deletes the objects that an XML document names. */
function deleted(store: PracticeStore, bucket: string, xml: string): string {
  const keys = [...xml.matchAll(/<Key>([^<]*)<\/Key>/g)].map(([, key = '']) => textOf(key))
  if (keys.length === 0 || keys.length > mostKeys) {
    throw new S3Error('MalformedXML', 'The XML you provided was not well-formed or did not validate.', 400)
  }
  if (/<(ETag|Size|LastModifiedTime|VersionId)>/.test(xml)) {
    throw new S3Error('NotImplemented', 'The practice cloud knows no conditions when it deletes many objects.', 501)
  }
  store.deleteObjects(bucket, keys)
  const isQuiet = /<Quiet>true<\/Quiet>/i.test(xml)
  return document('DeleteResult', ...(isQuiet ? [] : keys.map((key) => `<Deleted>${element('Key', key)}</Deleted>`)))
}

function limitOf(query: Query, name: string): number {
  const text = query[name] ?? String(mostKeys)
  if (!/^\d+$/.test(text)) throw new S3Error('InvalidArgument', `Provided ${name} not an integer or within range`, 400)
  return Math.min(Number(text), mostKeys)
}

/** How the answer to a request writes keys. */
function encodingOf({ 'encoding-type': type }: Query) {
  if (type === undefined) return (text: string) => text
  if (type !== 'url') throw new S3Error('InvalidArgument', 'Invalid Encoding Method specified in Request', 400)
  return (text: string) => encodeURIComponent(text).replaceAll('%2F', '/')
}

function document(name: string, ...content: (string | false | undefined)[]): string {
  const inside = content.filter(Boolean).join('')
  return `<?xml version="1.0" encoding="UTF-8"?>\n<${name} xmlns="http://s3.amazonaws.com/doc/2006-03-01/">${inside}</${name}>`
}

const element = (name: string, text: string | number | boolean) => `<${name}>${escaped(String(text))}</${name}>`

/** A parser would change line ends, and refuse other control characters unless they are numbers. */
const escaped = (text: string) =>
  text.replaceAll(/[&<>"']|\p{Cc}/gu, (character) => `&#x${character.codePointAt(0)?.toString(16)};`)

/** The text that XML stands for. One pass, so that what comes out of one entity does not begin another. */
const textOf = (xml: string) =>
  xml.replaceAll(
    /&(?:#x([0-9a-f]+)|#(\d+)|(amp|lt|gt|quot|apos));/gi,
    (_, hex?: string, decimal?: string, name = '') => {
      if (hex) return String.fromCodePoint(Number.parseInt(hex, 16))
      if (decimal) return String.fromCodePoint(Number(decimal))
      return { amp: '&', lt: '<', gt: '>', quot: '"', apos: "'" }[String(name)] ?? ''
    },
  )
