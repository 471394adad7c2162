/**
 * The practice cloud's buckets: fauxqs, corrected where it does not behave like Amazon's S3.
 *
 * Its store lists keys in one order and looks for the next page in another, so pages lose keys. It takes a request that
 * it does not know for one that it knows: setting the tags of an object overwrites the object. It lists no unfinished
 * uploads, ignores conditions, and stores what does not have the checksum that came with it.
 * tests/local/s3-behaviours.ts has a row for each rule, and compares the answers of all our stores.
 */
import { createHash } from 'node:crypto'
import type { IncomingHttpHeaders } from 'node:http'
import { crc32 } from 'node:zlib'
import { buildApp } from 'fauxqs'
// The package takes stores of these classes, and exports none of them.
import { S3Error } from '../../node_modules/fauxqs/dist/common/errors.js'
import { S3Store } from '../../node_modules/fauxqs/dist/s3/s3Store.js'
import { SnsStore } from '../../node_modules/fauxqs/dist/sns/snsStore.js'
import { SqsStore } from '../../node_modules/fauxqs/dist/sqs/sqsStore.js'

/** What we need of Fastify's request. */
interface Request {
  method: string
  params: unknown
  query: unknown
  headers: IncomingHttpHeaders
  body: unknown
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
    const object = super.completeMultipartUpload(id, parts)
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

/** Settings of a bucket that the store keeps. Nothing here is public, so blocking public access needs nothing more. */
const kept = ['tagging', 'publicAccessBlock']

const mostKeys = 1000
const longestKey = 1024

/** Returns fauxqs as a Fastify application that follows S3's rules. */
export function practiceApp(): ReturnType<typeof buildApp> {
  const store = new PracticeStore()
  const app = buildApp({
    logger: false,
    stores: { s3Store: store, sqsStore: new SqsStore(), snsStore: new SnsStore() },
  })
  // An object may be larger than fauxqs allows, and may have any type.
  for (const type of ['*', 'application/x-www-form-urlencoded', 'application/x-amz-json-1.0']) {
    app.removeContentTypeParser(type)
    app.addContentTypeParser(type, { parseAs: 'buffer', bodyLimit: 2 ** 30 }, (request, body, done) => {
      const text = body.toString()
      if (type === '*' || request.raw.url !== '/') return done(null, body)
      try {
        done(null, type.includes('json') ? JSON.parse(text) : Object.fromEntries(new URLSearchParams(text)))
      } catch (error) {
        done(error as Error)
      }
    })
  }
  // Calls `done` at once, so that nothing happens between checking a condition and storing the object.
  app.addHook('preHandler', (request, reply, done) => {
    if (!request.routeOptions.url?.startsWith('/:bucket')) return done()
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
    if (request.method === 'GET' && [200, 206].includes(reply.statusCode)) {
      for (const [name, value] of Object.entries(queryOf(request))) {
        if (/^response-(content-|cache-control|expires)/.test(name)) reply.header(name.slice('response-'.length), value)
      }
    }
    done()
  })
  return app
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
  if (Buffer.byteLength(key) > longestKey) throw new S3Error('KeyTooLongError', 'Your key is too long', 400)
  if (method === 'PUT') request.body ??= Buffer.alloc(0)
  requireIntact(request)
  // fauxqs says that it does not exist.
  if (!store.hasBucket(bucket)) return undefined
  return key ? objectAnswer(request, store, { bucket, key, query }) : bucketAnswer(request, store, { bucket, query })
}

/** Throws when the body is not the one that was sent, by its MD5 or the SHA-256 that is part of the signature. */
function requireIntact({ headers, body }: Request) {
  if (!Buffer.isBuffer(body) || headers['content-encoding']?.includes('aws-chunked')) return
  const md5 = headers['content-md5']
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
    const number = Number(query.partNumber)
    if (method === 'PUT' && !(Number.isInteger(number) && number >= 1 && number <= 10_000)) {
      throw new S3Error('InvalidArgument', 'Part number must be an integer between 1 and 10000, inclusive', 400)
    }
    if (method === 'GET') return partsOf(upload, query)
  }
  const writes = (method === 'PUT' && uploadId === undefined) || (method === 'POST' && uploadId !== undefined)
  if (writes || method === 'HEAD') {
    const { 'if-match': ifMatch, 'if-none-match': ifNoneMatch } = headers
    if (writes && ifMatch && !existing) throw new S3Error('NoSuchKey', 'The specified key does not exist.', 404)
    const same = (etags: string) => etags === '*' || etags.replaceAll('"', '') === existing?.etag.replaceAll('"', '')
    const fails = existing && ((ifMatch && !same(ifMatch)) || (ifNoneMatch && same(ifNoneMatch)))
    if (fails) {
      const isUnchanged = !writes && !(ifMatch && !same(ifMatch))
      throw isUnchanged
        ? new S3Error('NotModified', 'Not Modified', 304)
        : new S3Error('PreconditionFailed', 'At least one of the pre-conditions you specified did not hold', 412)
    }
  }
  const source = headers['x-amz-copy-source']
  const from = decodeURIComponent(String(source ?? '')).replace(/^\//, '')
  if (source && uploadId === undefined && from === `${bucket}/${key}` && !headers['x-amz-metadata-directive']) {
    throw new S3Error('InvalidRequest', 'This copy request is illegal: it copies an object to itself unchanged.', 400)
  }
  // fauxqs refuses ranges that S3 cuts or ignores.
  const suffix = /^bytes=-(\d+)$/.exec(headers.range ?? '')?.[1]
  if (headers.range && existing) {
    if (suffix && Number(suffix) > existing.contentLength && existing.contentLength > 0) headers.range = 'bytes=0-'
    else if (!suffix && !/^bytes=\d+-\d*$/.test(headers.range)) delete headers.range
  }
  return undefined
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
  const limit = limitOf(query, 'max-keys')
  const last = isV2 ? (token ? Buffer.from(token, 'base64url').toString() : startAfter) : marker
  // A page that ended with a group of keys is not continued inside the group.
  const isGroup = delimiter !== '' && (token !== undefined || !isV2) && last.endsWith(delimiter)
  const entries = store
    .listObjects(bucket, { prefix, maxKeys: Number.POSITIVE_INFINITY })
    .objects.map((object) => ({ object, order: inBytes(object.key) }))
    .filter(({ object, order }) => order > inBytes(last) && !(isGroup && object.key.startsWith(last)))
    .sort((a, b) => (a.order < b.order ? -1 : 1))
  const page: { name: string; xml: string }[] = []
  const encode = query['encoding-type'] === 'url' ? encodedKey : (text: string) => text
  let isTruncated = false
  for (const { object } of entries) {
    const { key, contentLength, etag, lastModified } = object
    const cut = delimiter === '' ? -1 : key.indexOf(delimiter, prefix.length)
    const name = cut < 0 ? key : key.slice(0, cut + delimiter.length)
    if (page.at(-1)?.name === name) continue
    if (page.length === limit) {
      isTruncated = limit > 0
      break
    }
    const content = [
      element('Key', encode(key)),
      element('LastModified', lastModified.toISOString()),
      element('ETag', etag),
      element('Size', contentLength),
      element('StorageClass', 'STANDARD'),
    ]
    const group = `<CommonPrefixes>${element('Prefix', encode(name))}</CommonPrefixes>`
    page.push({ name, xml: cut < 0 ? `<Contents>${content.join('')}</Contents>` : group })
  }
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
    next !== undefined && !isV2 && element('NextMarker', encode(next)),
    ...page.map(({ xml }) => xml),
  )
}

function uploadsOf(store: PracticeStore, bucket: string, query: Query): string {
  const { prefix = '', 'key-marker': keyMarker = '', 'upload-id-marker': idMarker = '' } = query
  const limit = limitOf(query, 'max-uploads')
  const orderOf = ({ key, id }: Pick<Upload, 'key' | 'id'>) => `${inBytes(key)}\0${id}`
  // Without an id, all uploads to the marker's key are skipped.
  const after = keyMarker === '' ? '' : orderOf({ key: keyMarker, id: idMarker || '\u{ff}' })
  const all = [...store.uploads.values()]
    .filter((upload) => upload.bucket === bucket && upload.key.startsWith(prefix) && orderOf(upload) > after)
    .sort((a, b) => (orderOf(a) < orderOf(b) ? -1 : 1))
  const page = all.slice(0, limit)
  const last = page.length < all.length ? page.at(-1) : undefined
  return document(
    'ListMultipartUploadsResult',
    element('Bucket', bucket),
    element('Prefix', prefix),
    element('KeyMarker', keyMarker),
    element('UploadIdMarker', idMarker),
    element('MaxUploads', limit),
    element('IsTruncated', last !== undefined),
    last && element('NextKeyMarker', last.key),
    last && element('NextUploadIdMarker', last.id),
    ...page.map(({ id, key, initiated }) => {
      const upload = [element('Key', key), element('UploadId', id), element('Initiated', initiated.toISOString())]
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
  store.deleteObjects(bucket, keys)
  const isQuiet = /<Quiet>true<\/Quiet>/i.test(xml)
  return document('DeleteResult', ...(isQuiet ? [] : keys.map((key) => `<Deleted>${element('Key', key)}</Deleted>`)))
}

function limitOf(query: Query, name: string): number {
  const text = query[name] ?? String(mostKeys)
  if (!/^\d+$/.test(text)) throw new S3Error('InvalidArgument', `Provided ${name} not an integer or within range`, 400)
  return Math.min(Number(text), mostKeys)
}

const encodedKey = (key: string) => encodeURIComponent(key).replaceAll('%2F', '/')

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
