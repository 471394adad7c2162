/**
 * A trace collector: an OTLP/HTTP server on loopback that keeps the spans it receives as JSON in memory, and forwards
 * them to another collector if there is one. Real collectors store them; the protocol is the same.
 */
import { once } from 'node:events'
import { createServer } from 'node:http'
import { promisify } from 'node:util'
import { gunzip, inflate } from 'node:zlib'
import { UsageError } from '@repo/common/example/usage'
import { messageOf } from '@repo/common/output/errors'
import { maskPasswords, shownUrl } from '@repo/common/output/secrets'
import { endServer, readBody } from '../pipeline/http.ts'

export interface Span {
  traceId: string
  spanId: string
  parentId: string | undefined
  /** Spans that have caused this one without being its parent; most are of other traces. */
  links: { traceId: string; spanId: string }[]
  name: string
  kind: 'internal' | 'server' | 'client' | 'producer' | 'consumer'
  /** The sender's service.name. */
  process: string
  /** By the process's own clock. */
  startMs: number
  endMs: number
  failed: boolean
  attributes: Record<string, string | number | boolean>
}

export interface Collector extends AsyncDisposable {
  /** For OTEL_EXPORTER_OTLP_ENDPOINT. */
  endpoint: string
  /** The environment of processes that are to send their spans here, whatever the reader has set for others. */
  env: NodeJS.ProcessEnv
  /** Each once, however often it was delivered. */
  spans: Span[]
  /** How many requests were refused. */
  readonly refused: number
  /** Why spans could not be forwarded; undefined when all were. */
  readonly problem: string | undefined
}

const mostBytes = 64 << 20
/** How long a request may take to arrive, and how long one in progress may take when the collector ends. */
const requestTimeout = 10_000
const graceMs = 6_000
const forwardTimeoutMs = 5_000
/** How to unpack a body, by its Content-Encoding. Most exporters compress. */
const unpack = { gzip: promisify(gunzip), deflate: promisify(inflate) }
const isKnownEncoding = (encoding: string): encoding is keyof typeof unpack => Object.hasOwn(unpack, encoding)
const kinds = ['internal', 'internal', 'server', 'client', 'producer', 'consumer'] as const

/** Another collector. */
export interface Upstream {
  /** Where traces are posted. It may have a user and a password. */
  url: URL
  headers: Record<string, string>
}

/**
 * Returns the collector that the reader's environment names, as the OpenTelemetry specification says: what is set for
 * traces counts first, and is the whole URL.
 *
 * @throws the name of the variable whose value is no http or https URL, and the value, as a UsageError
 */
export function upstreamOf(env: NodeJS.ProcessEnv): Upstream | undefined {
  const name = env.OTEL_EXPORTER_OTLP_TRACES_ENDPOINT
    ? 'OTEL_EXPORTER_OTLP_TRACES_ENDPOINT'
    : 'OTEL_EXPORTER_OTLP_ENDPOINT'
  const text = env[name]
  if (!text) return undefined
  const url = URL.parse(text)
  if (!url || !/^https?:$/.test(url.protocol))
    throw new UsageError(name, shownUrl(text), 'an http or https URL, such as http://localhost:4318')
  if (name === 'OTEL_EXPORTER_OTLP_ENDPOINT') url.pathname = `${url.pathname.replace(/\/$/, '')}/v1/traces`
  return { url, headers: headersOf(env.OTEL_EXPORTER_OTLP_TRACES_HEADERS ?? env.OTEL_EXPORTER_OTLP_HEADERS) }
}

/** Starts a collector on a free port. What it accepts it forwards, and passes on what the other one answers. */
export async function startCollector({ forwardTo }: { forwardTo?: Upstream | undefined } = {}): Promise<Collector> {
  const spans: Span[] = []
  /** A sender that got no answer sends the same spans again. */
  const known = new Set<string>()
  let refused = 0
  let problem: string | undefined
  /** Returns the other collector's answer. */
  async function forward(body: Buffer, { url, headers }: Upstream): Promise<Response | undefined> {
    try {
      const response = await fetch(withoutUser(url), {
        method: 'POST',
        headers: { 'content-type': 'application/json', ...basicAuthorization(url), ...headers },
        body: new Uint8Array(body),
        signal: AbortSignal.timeout(forwardTimeoutMs),
      })
      await response.body?.cancel()
      // A sender that is told to try again later does.
      if (!response.ok && !isForLater(response.status)) problem ??= `it answers ${response.status}`
      return response
    } catch (error) {
      problem ??= maskPasswords(messageOf((error as Error).cause ?? error))
      return undefined
    }
  }

  const server = createServer({ requestTimeout, connectionsCheckingInterval: 1_000 }, async (request, response) => {
    const end = (status: number, body: object, headers: Record<string, string> = {}) => {
      if (status >= 400) refused++
      response.writeHead(status, { 'content-type': 'application/json', ...headers }).end(JSON.stringify(body))
    }
    try {
      if (request.method !== 'POST' || request.url !== '/v1/traces') return end(404, { message: 'POST /v1/traces' })
      // Neither header distinguishes upper and lower case.
      const type = request.headers['content-type']?.split(';')[0]?.trim().toLowerCase()
      if (type !== 'application/json') return end(415, { message: 'application/json' })
      const encoding = request.headers['content-encoding']?.toLowerCase() ?? 'identity'
      if (encoding !== 'identity' && !isKnownEncoding(encoding))
        return end(415, { message: 'gzip, deflate or identity' })
      const sent = await readBody(request, mostBytes)
      const body = sent && (encoding === 'identity' ? sent : await unpacked(sent, unpack[encoding]))
      if (!body) return end(413, { message: `at most ${mostBytes} bytes` })
      for (const span of readSpans(JSON.parse(body.toString(), withoutNulls))) {
        const id = `${span.traceId} ${span.spanId}`
        if (known.has(id)) continue
        known.add(id)
        spans.push(span)
      }
      const answer = forwardTo && (await forward(body, forwardTo))
      if (!answer || answer.ok) return end(200, { partialSuccess: {} })
      const retryAfter = answer.headers.get('retry-after')
      const headers: Record<string, string> = retryAfter === null ? {} : { 'retry-after': retryAfter }
      return end(answer.status, { message: `the next collector answers ${answer.status}` }, headers)
    } catch (error) {
      return end(400, { message: messageOf(error) })
    }
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error(`no port in ${address}`)
  const endpoint = `http://127.0.0.1:${address.port}`
  return {
    endpoint,
    env: {
      OTEL_EXPORTER_OTLP_ENDPOINT: endpoint,
      // It would count first.
      OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: undefined,
    },
    spans,
    get refused() {
      return refused
    },
    get problem() {
      return problem
    },
    [Symbol.asyncDispose]: () => endServer(server, graceMs),
  }
}

/** Answers after which a sender tries again, by the OTLP specification. */
const isForLater = (status: number) => [429, 502, 503, 504].includes(status)

/** fetch refuses a URL with a user and a password, and says both in its error. */
function withoutUser(url: URL): URL {
  const plain = new URL(url)
  plain.username = ''
  plain.password = ''
  return plain
}

function basicAuthorization({ username, password }: URL): Record<string, string> {
  if (username === '' && password === '') return {}
  const both = `${decodeURIComponent(username)}:${decodeURIComponent(password)}`
  return { authorization: `Basic ${Buffer.from(both).toString('base64')}` }
}

/** Returns an unpacked body; undefined if it would be too large. */
async function unpacked(
  body: Buffer,
  unpack: (body: Buffer, options: { maxOutputLength: number }) => Promise<Buffer>,
): Promise<Buffer | undefined> {
  try {
    return await unpack(body, { maxOutputLength: mostBytes })
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ERR_BUFFER_TOO_LARGE') return undefined
    throw error
  }
}

/** Reads `name=value,name=value`, as the OpenTelemetry specification defines it. */
function headersOf(text = ''): Record<string, string> {
  const pairs = text.split(',').map((pair) => pair.split('='))
  return Object.fromEntries(
    pairs
      .filter(([name]) => name?.trim())
      .map(([name = '', ...value]) => [name.trim(), decodeURIComponent(value.join('=')).trim()]),
  )
}

/** In the JSON mapping of protobuf, null means that a field is not set. In a list it leaves a gap, which flatMap skips. */
const withoutNulls = (_key: string, value: unknown) => value ?? undefined

interface Otlp {
  resourceSpans?: {
    resource?: { attributes?: Attribute[] }
    scopeSpans?: { spans?: OtlpSpan[] }[]
  }[]
}
interface OtlpSpan {
  traceId: string
  spanId: string
  parentSpanId?: string
  links?: { traceId: string; spanId: string }[]
  name: string
  kind?: number
  startTimeUnixNano?: string | number
  endTimeUnixNano?: string | number
  status?: { code?: number }
  attributes?: Attribute[]
}
interface Attribute {
  key: string
  /** An attribute may have no value at all. */
  value?: AnyValue
}
interface AnyValue {
  stringValue?: string
  intValue?: string | number
  doubleValue?: number | string
  boolValue?: boolean
  bytesValue?: string
  arrayValue?: { values?: AnyValue[] }
  kvlistValue?: { values?: Attribute[] }
}

/** Returns the spans of a message (opentelemetry-proto, trace.proto, in its JSON mapping). */
function readSpans({ resourceSpans = [] }: Otlp): Span[] {
  return resourceSpans.flatMap(({ resource, scopeSpans = [] }) => {
    const process = String(attributesOf(resource?.attributes)['service.name'] ?? 'unknown')
    return scopeSpans.flatMap(({ spans = [] }) =>
      spans.flatMap((span) => ({
        traceId: span.traceId,
        spanId: span.spanId,
        parentId: span.parentSpanId || undefined,
        links: (span.links ?? []).flatMap(({ traceId, spanId }) => [{ traceId, spanId }]),
        name: span.name,
        kind: kinds[span.kind ?? 0] ?? 'internal',
        process,
        failed: span.status?.code === 2,
        startMs: msOf(span.startTimeUnixNano),
        endMs: msOf(span.endTimeUnixNano),
        attributes: attributesOf(span.attributes),
      })),
    )
  })
}

/** A time that is not set is 0, as any number in protobuf. */
function msOf(nanoseconds: string | number = 0): number {
  const ms = Number(nanoseconds) / 1e6
  if (Number.isNaN(ms)) throw new Error(`a time: received ${JSON.stringify(nanoseconds)}; accepts nanoseconds`)
  return ms
}

/** Attributes without a value are left out. */
function attributesOf(attributes: Attribute[] = []): Span['attributes'] {
  return Object.fromEntries(
    attributes.flatMap(({ key, value }) => {
      const known = anyValue(value)
      return known === undefined ? [] : [[key, typeof known === 'object' ? JSON.stringify(known) : known]]
    }),
  )
}

type Value = string | number | boolean | Value[] | { [key: string]: Value }

function anyValue(value: AnyValue = {}): Value | undefined {
  const { stringValue, boolValue, intValue, doubleValue, bytesValue, arrayValue, kvlistValue } = value
  if (arrayValue) return (arrayValue.values ?? []).flatMap((each) => anyValue(each) ?? [])
  if (kvlistValue) return attributesOf(kvlistValue.values)
  // A number that JavaScript would round stays a text.
  if (intValue !== undefined) return Number.isSafeInteger(Number(intValue)) ? Number(intValue) : String(intValue)
  // In JSON, NaN and the infinities are texts.
  return stringValue ?? boolValue ?? bytesValue ?? doubleValue
}
