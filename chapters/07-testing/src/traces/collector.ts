/**
 * A trace collector: an OTLP/HTTP server on loopback that keeps the spans it receives as JSON in memory, and forwards
 * them to another collector if there is one. Real collectors store them; the protocol is the same.
 */
import { once } from 'node:events'
import { createServer, type IncomingMessage } from 'node:http'
import { promisify } from 'node:util'
import { gunzip, inflate } from 'node:zlib'
import { messageOf } from '@repo/common/output/errors'

export interface Span {
  traceId: string
  spanId: string
  parentId: string | undefined
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
  spans: Span[]
  /** Why spans could not be forwarded; undefined when all were. */
  problem: string | undefined
}

const mostBytes = 64 << 20
/** How to unpack a body, by its Content-Encoding. Most exporters compress. */
const unpack = { gzip: promisify(gunzip), deflate: promisify(inflate) }
const isKnownEncoding = (encoding: string): encoding is keyof typeof unpack => Object.hasOwn(unpack, encoding)
const kinds = ['internal', 'internal', 'server', 'client', 'producer', 'consumer'] as const

/** Starts a collector on a free port. `forwardTo` is the endpoint of another one, without /v1/traces. */
export async function startCollector({ forwardTo }: { forwardTo?: string | undefined } = {}): Promise<Collector> {
  const spans: Span[] = []
  const forwarding = new Set<Promise<void>>()
  let problem: string | undefined
  async function forward(body: Buffer) {
    try {
      const url = `${forwardTo?.replace(/\/$/, '')}/v1/traces`
      const headers = { 'content-type': 'application/json', ...headersOf(process.env.OTEL_EXPORTER_OTLP_HEADERS) }
      const response = await fetch(url, {
        method: 'POST',
        headers,
        body: new Uint8Array(body),
        signal: AbortSignal.timeout(5_000),
      })
      if (!response.ok) problem ??= `it answers ${response.status}`
      await response.body?.cancel()
    } catch (error) {
      problem ??= String((error as Error).cause ?? error)
    }
  }

  const server = createServer(async (request, response) => {
    const end = (status: number, body: object) =>
      response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body))
    try {
      if (request.method !== 'POST' || request.url !== '/v1/traces') return end(404, { message: 'POST /v1/traces' })
      // Neither header distinguishes upper and lower case.
      const type = request.headers['content-type']?.split(';')[0]?.trim().toLowerCase()
      if (type !== 'application/json') return end(415, { message: 'application/json' })
      const encoding = request.headers['content-encoding']?.toLowerCase() ?? 'identity'
      if (encoding !== 'identity' && !isKnownEncoding(encoding))
        return end(415, { message: 'gzip, deflate or identity' })
      const body = await readBody(request, encoding === 'identity' ? undefined : unpack[encoding])
      if (!body) return end(413, { message: `at most ${mostBytes} bytes` })
      // One by one: the arguments of a call have to fit on the stack.
      for (const span of readSpans(JSON.parse(body.toString(), withoutNulls))) spans.push(span)
      if (forwardTo) {
        const sending = forward(body).finally(() => forwarding.delete(sending))
        forwarding.add(sending)
      }
      return end(200, { partialSuccess: {} })
    } catch (error) {
      return end(400, { message: messageOf(error) })
    }
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error(`no port in ${address}`)
  return {
    endpoint: `http://127.0.0.1:${address.port}`,
    spans,
    get problem() {
      return problem
    },
    async [Symbol.asyncDispose]() {
      if (!server.listening) return
      server.close()
      server.closeIdleConnections()
      await once(server, 'close')
      await Promise.all(forwarding)
    },
  }
}

/** Returns a body, unpacked; undefined if it is too large, or would be. */
async function readBody(
  request: IncomingMessage,
  unpacked?: (body: Buffer, options: { maxOutputLength: number }) => Promise<Buffer>,
): Promise<Buffer | undefined> {
  const chunks: Buffer[] = []
  let bytes = 0
  for await (const chunk of request) {
    bytes += (chunk as Buffer).length
    if (bytes > mostBytes) return undefined
    chunks.push(chunk as Buffer)
  }
  const body = Buffer.concat(chunks)
  try {
    return unpacked ? await unpacked(body, { maxOutputLength: mostBytes }) : body
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
