/** A producer and a consumer with a queue between them that delivers a job again when its handler has thrown. */
import { type Stage, underEverySchedule } from '@repo/exercises/actors'
import { exercise, type Fault } from '@repo/exercises/exercise'
import { callingLine } from '@repo/exercises/line'

type Solution = typeof import('./exercise.ts')

/** What another process must know of a span to be its child. */
export interface SpanContext {
  /** 32 hexadecimal digits. */
  traceId: string
  /** 16 hexadecimal digits. */
  spanId: string
  /** Whether the trace is recorded. */
  sampled: boolean
}

export interface Span {
  readonly context: SpanContext
  /** The span has ended now. */
  end(): void
}

export interface Tracer {
  /** Begins a span. Without a parent it is the root of a new trace. */
  start(name: string, parent?: SpanContext): Span
}

export interface Job {
  name: string
  headers: Record<string, unknown>
}

export interface Queue {
  add(job: Job): Promise<void>
}

interface Recorded extends Span {
  name: string
  parent: SpanContext | undefined
  line: number | undefined
  hasEnded: boolean
  endsEarly: boolean
  /** Whether its work is still going on. */
  isBusy: boolean
}

/** Keeps every span. */
class Recorder {
  readonly spans: Recorded[] = []

  /** @param note tells the history */
  tracer(isSampled: boolean, note: (text: string) => void = () => {}): Tracer {
    return {
      start: (name, parent) => {
        const number = this.spans.length + 1
        const traceId = parent?.traceId ?? (0xace0 + number).toString(16).padStart(32, '7')
        const spanId = (0xbee0 + number).toString(16).padStart(16, '5')
        const span: Recorded = {
          name,
          parent,
          line: callingLine(),
          hasEnded: false,
          endsEarly: false,
          isBusy: false,
          context: { traceId, spanId, sampled: parent?.sampled ?? isSampled },
          end() {
            span.hasEnded = true
            span.endsEarly ||= span.isBusy
            note(`ends span ${number}`)
          },
        }
        this.spans.push(span)
        note(`starts span ${number} (${name}), ${this.describe(parent)}`)
        return span
      },
    }
  }

  /** Says whose child a span is. */
  describe(parent: SpanContext | undefined): string {
    if (!parent) return 'a root'
    const at = this.spans.findIndex(
      ({ context }) => context.spanId === parent.spanId && context.traceId === parent.traceId,
    )
    return `a child of ${at < 0 ? 'an unknown span' : `span ${at + 1}`}`
  }
}

const headerOf = ({ traceId, spanId, sampled }: SpanContext) => `00-${traceId}-${spanId}-${sampled ? '01' : '00'}`

/** A job is sent and handled twice: the first attempt fails. */
function play(stage: Stage, { send, handle }: Solution, isSampled: boolean) {
  const recorder = new Recorder()
  const queued = Promise.withResolvers<Job>()
  const failure = new Error('the bank does not answer')
  const attempts: Span[] = []
  let producer: SpanContext | undefined
  let header: unknown
  let sentAt: number | undefined
  let isSent = false
  const queue: Queue = {
    async add(job) {
      isSent = true
      sentAt = callingLine()
      header = job.headers.traceparent
      await stage.step('sends a job', () => queued.resolve(job), { to: 'consumer' })
    },
  }

  async function work(span: Span) {
    const isFirst = attempts.push(span) === 1
    const recorded = span as Recorded
    recorded.isBusy = true
    await stage.step(`asks the bank: ${isFirst ? 'no answer' : 'charged'}`, () => {})
    recorded.isBusy = false
    if (isFirst) throw failure
  }

  return {
    actors: {
      async producer() {
        const span = recorder.tracer(isSampled, (text) => stage.note('producer', text)).start('order')
        producer = span.context
        await send(queue, 'charge', { ...producer })
        span.end()
      },
      async consumer() {
        const job = await queued.promise
        const tracer = recorder.tracer(true, (text) => stage.note('consumer', text))
        for (let isDone = false; !isDone && attempts.length < 2; ) {
          try {
            await handle(job, tracer, work)
            isDone = true
          } catch (error) {
            if (error !== failure) throw error
          }
        }
      },
    },
    check: () => producer && faultOf(recorder, { producer, isSent, sentAt, header, attempts }),
  }
}

interface Seen {
  producer: SpanContext
  isSent: boolean
  sentAt: number | undefined
  header: unknown
  attempts: Span[]
}

function faultOf(recorder: Recorder, { producer, isSent, sentAt, header, attempts }: Seen): Fault | undefined {
  const wanted = headerOf(producer)
  if (!isSent) return { says: 'send puts no job into the queue.' }
  if (header === undefined)
    return { says: 'The job carries no traceparent.', expected: wanted, received: 'no such header', line: sentAt }
  if (header !== wanted) {
    const why = 'Other consumers read this header as well, in other languages.'
    return {
      says: 'The header traceparent has another form, or names another span.',
      expected: wanted,
      received: String(header),
      line: sentAt,
      why,
    }
  }
  for (const [at, span] of attempts.entries()) {
    const { parent, line, endsEarly, hasEnded } = span as Recorded
    const isProducer = parent?.traceId === producer.traceId && parent.spanId === producer.spanId
    const parents = { expected: 'a child of span 1', received: recorder.describe(parent), line }
    if (!isProducer && at > 0) {
      const why = 'A retry is caused by the producer, as the first attempt is. Both are its children.'
      return { says: 'On a retry, the parent is an earlier attempt and not the producer.', ...parents, why }
    }
    if (!isProducer) return { says: "The consumer's span does not know its producer.", ...parents }
    if (parent.sampled !== producer.sampled) {
      const [expected, received] = [`sampled: ${producer.sampled}`, `sampled: ${parent.sampled}`]
      const why = 'Where the trace begins it is decided whether to record it; otherwise there are fragments of traces.'
      return { says: 'The consumer decides anew whether the trace is recorded.', expected, received, line, why }
    }
    if (endsEarly) return { says: 'A span ends before its work has ended.', line }
    const isFailed = at === 0
    if (!hasEnded && isFailed) return { says: 'The span of an attempt that failed never ends.', line }
    if (!hasEnded) return { says: 'A span never ends.', line }
  }
  if (attempts.length === 0) return { says: 'handle does not do the work.' }
  if (attempts.length < 2) {
    const why = 'The queue learns from the error that it has to deliver the job again.'
    return {
      says: 'The work failed, and handle did not throw its error.',
      expected: 'two attempts',
      received: String(attempts.length),
      why,
    }
  }
  return undefined
}

const [traceId, spanId] = ['4bf92f3577b34da6a3ce929d0e0e4736', '00f067aa0ba902b7']
/** Headers, and what they say. */
const headers: [header: unknown, says: SpanContext | undefined][] = [
  [undefined, undefined],
  [`00-${traceId}-${spanId}-03`, { traceId, spanId, sampled: true }],
  [`00-${traceId}-${spanId}-02`, { traceId, spanId, sampled: false }],
  [`00-${traceId}-${spanId}-ff`, { traceId, spanId, sampled: true }],
  [`00-${traceId}-${spanId}`, undefined],
  ['00-x-y-01', undefined],
  ['', undefined],
  [42, undefined],
  [null, undefined],
  [`00-${traceId.slice(1)}-${spanId}-01`, undefined],
  [`00-${traceId}-${spanId}0-01`, undefined],
  [`00-${traceId.toUpperCase()}-${spanId}-01`, undefined],
  [`00-${'0'.repeat(32)}-${spanId}-01`, undefined],
  [`00-${traceId}-${'0'.repeat(16)}-01`, undefined],
  [`00-${traceId}-${spanId}-zz`, undefined],
  [`00-${traceId}-${spanId}-01-00`, undefined],
  [`00-${traceId}-${spanId}-010`, undefined],
  [` 00-${traceId}-${spanId}-01`, undefined],
  [`ff-${traceId}-${spanId}-01`, undefined],
]

const shortened = (id: string) => (id.length > 10 ? `${id.slice(0, 4)}…${id.slice(-4)}` : id)
const contextText = ({ traceId, spanId, sampled }: SpanContext) =>
  `parent ${shortened(traceId)}, ${shortened(spanId)}, ${sampled ? '' : 'not '}recorded`

async function underHeaders({ handle }: Solution): Promise<Fault | undefined> {
  for (const [traceparent, says] of headers) {
    const recorder = new Recorder()
    let isDone = false
    const job: Job = { name: 'charge', headers: traceparent === undefined ? {} : { traceparent } }
    await handle(job, recorder.tracer(true), async () => {
      isDone = true
    })
    const [span] = recorder.spans
    const text = ({ parent }: Pick<Recorded, 'parent'>) => (parent ? contextText(parent) : 'a root')
    const shown = traceparent === undefined ? 'no header' : JSON.stringify(traceparent)
    const fault = {
      expected: `${shown}: ${text({ parent: says })}`,
      received: span ? text(span) : 'no span',
      line: span?.line,
    }
    if (!isDone || !span) return { says: 'A job whose header is missing or broken is not handled.', ...fault }
    const isSame = (['traceId', 'spanId', 'sampled'] as const).every((field) => span?.parent?.[field] === says?.[field])
    if (isSame) continue
    return { says: says ? 'A valid header is not understood.' : 'A broken header becomes a parent.', ...fault }
  }
  return undefined
}

export default exercise<Solution>({
  async check(solution, { signal }) {
    for (const isSampled of [true, false]) {
      const fault = await underEverySchedule((stage) => play(stage, solution, isSampled), { signal, mostDeviations: 2 })
      if (fault) return fault
    }
    return await underHeaders(solution)
  },
})
