/**
 * The first thing a cloud does with every request: it computes the signature itself and compares.
 *
 * In Signature Version 4 the secret key never travels. From it, both sides derive a key for the day, the region and the
 * service. With that they sign the method, the path, the query, some headers and the hash of the body.
 * https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
 */
import { createHash, createHmac, timingSafeEqual } from 'node:crypto'
import type { IncomingHttpHeaders } from 'node:http'
import type { Credentials } from '../cloud/place.ts'

export interface SignedRequest {
  method: string
  /** Path and query as received. */
  url: string
  headers: IncomingHttpHeaders
}

export interface Refusal {
  /** One of Amazon's error codes. */
  code:
    | 'AccessDenied'
    | 'AuthorizationQueryParametersError'
    | 'InvalidAccessKeyId'
    | 'RequestTimeTooSkewed'
    | 'SignatureDoesNotMatch'
  message: string
}

/** How far the clocks of client and server may be apart. The same as Amazon's. */
const allowedSkewMs = 15 * 60_000
/** How long a presigned URL may be valid: a week. */
const longestSeconds = 604_800

/**
 * Returns why a request is refused, or undefined when it was signed with these credentials at about this time. It does
 * not check that the body has the signed hash.
 *
 * @param now the server's clock, in milliseconds since 1970
 */
export function refuse(request: SignedRequest, credentials: Credentials, now: number): Refusal | undefined {
  // A query may hold further question marks.
  const [path = '/', search = ''] = request.url.split(/\?(.*)/s, 2)
  const parameters = new Map(search.split('&').map((pair) => [pair.split('=', 1)[0] ?? '', pair]))
  const parameter = (name: string) => decoded(parameters.get(name)?.slice(name.length + 1) ?? '')
  const header = (name: string) => String(request.headers[name] ?? '')

  // A presigned URL carries its signature in the query instead of a header.
  const presigned = parameters.has('X-Amz-Signature')
  const field = /Credential=(?<Credential>[^,]*), ?SignedHeaders=(?<SignedHeaders>[^,]*), ?Signature=(?<Signature>\w*)/
  const fields = field.exec(header('authorization'))?.groups ?? {}
  const said = (name: string) => (presigned ? parameter(`X-Amz-${name}`) : (fields[name] ?? ''))

  const scope = said('Credential').split('/').slice(1)
  const [day = '', region = '', service = ''] = scope
  const time = presigned ? parameter('X-Amz-Date') : header('x-amz-date')
  const signedAt = Date.parse(time.replace(/^(\d{4})(\d\d)(\d\dT\d\d)(\d\d)(\d\dZ)$/, '$1-$2-$3:$4:$5'))
  if (said('Signature') === '' || Number.isNaN(signedAt)) {
    return { code: 'AccessDenied', message: 'The request is not signed.' }
  }
  if (said('Credential').split('/', 1)[0] !== credentials.accessKeyId) {
    return { code: 'InvalidAccessKeyId', message: 'The access key id does not exist in our records.' }
  }
  if (day !== time.slice(0, 8) || scope[3] !== 'aws4_request' || scope.length !== 4) {
    const message = 'The credential must be scoped to the day of the request, a region, a service and aws4_request.'
    return { code: 'AccessDenied', message }
  }
  if (presigned) {
    const seconds = parameter('X-Amz-Expires')
    if (!/^\d+$/.test(seconds) || Number(seconds) > longestSeconds) {
      const message = `X-Amz-Expires must be a number of seconds, at most ${longestSeconds}`
      return { code: 'AuthorizationQueryParametersError', message }
    }
    if (now > signedAt + 1000 * Number(seconds)) return { code: 'AccessDenied', message: 'Request has expired' }
    if (signedAt > now + allowedSkewMs) return { code: 'AccessDenied', message: 'Request is not valid yet' }
  }
  if (!presigned && Math.abs(now - signedAt) > allowedSkewMs) {
    const message = "The difference between the request time and the server's time is too large."
    return { code: 'RequestTimeTooSkewed', message }
  }

  // By name, then by value. Whole pairs would be in another order: `a-b=2` before `a=1`, as - comes before =.
  const query = search
    .split('&')
    .map((pair) => pair.split(/=(.*)/s, 2).map(encoded))
    .filter(([name]) => name !== '' && name !== 'X-Amz-Signature')
    .sort(([a = '', x = ''], [b = '', y = '']) => (a === b ? compare(x, y) : compare(a, b)))
    .map(([name, value = '']) => `${name}=${value}`)
  const signedHeaders = said('SignedHeaders').split(';')
  const vital = Object.keys(request.headers).filter((name) => /^(x-amz-|host$)/.test(name))
  // S3 would do what these headers say, and nobody has vouched for them.
  if (service === 's3' && vital.some((name) => !signedHeaders.includes(name))) {
    return { code: 'AccessDenied', message: 'There were headers present in the request which were not signed' }
  }
  const canonicalRequest = [
    request.method,
    path,
    query.join('&'),
    ...signedHeaders.map((name) => `${name}:${header(name).trim().replaceAll(/ +/g, ' ')}`),
    '',
    signedHeaders.join(';'),
    header('x-amz-content-sha256') || 'UNSIGNED-PAYLOAD',
  ].join('\n')
  const toSign = ['AWS4-HMAC-SHA256', time, scope.join('/'), sha256(canonicalRequest)].join('\n')
  const key = [day, region, service, 'aws4_request'].reduce<string | Buffer>(hmac, `AWS4${credentials.secretAccessKey}`)
  const expected = hmac(key, toSign)
  const received = Buffer.from(said('Signature'), 'hex')
  if (received.length === expected.length && timingSafeEqual(received, expected)) return undefined
  return {
    code: 'SignatureDoesNotMatch',
    message: 'The request signature does not match: check the secret access key.',
  }
}

const compare = (a: string, b: string) => (a < b ? -1 : a > b ? 1 : 0)

/** A part of a query as the signature has it, however the client has encoded it. */
function encoded(part: string): string {
  return encodeURIComponent(decoded(part.replaceAll('+', ' '))).replaceAll(
    /[!'()*]/g,
    (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`,
  )
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    // Then it is no encoding.
    return text
  }
}

const sha256 = (text: string) => createHash('sha256').update(text).digest('hex')
const hmac = (key: string | Buffer, text: string) => createHmac('sha256', key).update(text).digest()
