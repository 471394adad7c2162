/** Real streams of different pace, some of which fail, and a count of what waits in each. */
import { Writable } from 'node:stream'
import { setImmediate as turn } from 'node:timers/promises'
import { counterexample } from '@repo/exercises/counterexample'
import { exercise, type Fault, longestHistory, type Step } from '@repo/exercises/exercise'
import { callingLine } from '@repo/exercises/line'
import fc from 'fast-check'

type Solution = typeof import('./exercise.ts')

interface Attempt {
  chunks: number
  /** For how many chunks each stream has room, and how many turns of the event loop it takes for one. */
  sinks: { room: number; turns: number }[]
  /** Which stream fails, and at which of its chunks, from 0. */
  fails: { sink: number; chunk: number } | undefined
}

const sink = fc.record({ room: fc.integer({ min: 1, max: 3 }), turns: fc.integer({ min: 0, max: 3 }) })
const attempts: fc.Arbitrary<Attempt> = fc.record({
  chunks: fc.integer({ min: 1, max: 8 }),
  // Each of them can be left out.
  sinks: fc.tuple(fc.option(sink), fc.option(sink), sink).map((all) => all.filter((each) => each !== null)),
  fails: fc.option(fc.record({ sink: fc.nat(2), chunk: fc.nat(5) }), { nil: undefined, freq: 2 }),
})

/** Small attempts, those without a failure first, and those with the fewest chunks and streams. */
const smallAttempts: readonly Attempt[] = [false, true].flatMap((withFailure) =>
  [1, 2, 3].flatMap((chunks) =>
    [[1], [0], [1, 0], [0, 1], [2, 1], [1, 2]].flatMap((turns) =>
      (withFailure ? turns.map((_, sink) => ({ sink, chunk: 0 })) : [undefined]).map((fails) => ({
        chunks,
        sinks: turns.map((turns) => ({ room: 1, turns })),
        fails,
      })),
    ),
  ),
)

/** Nothing has happened for so many turns of the event loop: nothing will. */
const patience = 10
/** A producer may take this many chunks before it writes them. */
const mostAhead = 2
/** A producer may look this often whether a stream is full, between two chunks. */
const mostLooks = 10
/** A stream so slow that a producer which polls looks more often. */
const slowAttempt: Attempt = { chunks: 2, sinks: [{ room: 1, turns: 3 * mostLooks }], fails: undefined }

const polls: Fault = {
  says: 'It polls, or waits for a time, instead of waiting for an event.',
  why: 'A producer that looks again and again takes time from those that it waits for.',
}

/** A stream, and what it was asked. */
interface Sink {
  name: string
  stream: Writable
  written: number
  ended: boolean
  /** Whether the last write returned false. */
  wasFull: boolean
}

class Sending {
  readonly history: Step[] = []
  readonly sinks: Sink[]
  made = 0
  /** How many chunks had been made when a stream failed. */
  madeAtFailure: number | undefined
  failure: Error | undefined
  fault: Fault | undefined
  /** Grows with everything that happens. */
  happened = 0
  readonly #attempt: Attempt
  readonly #lines: boolean

  /** @param lines whether to note the lines of the reader's file, which takes long */
  constructor(attempt: Attempt, lines: boolean) {
    this.#attempt = attempt
    this.#lines = lines
    this.sinks = attempt.sinks.map((_, at) => this.#sink(at))
  }

  #line(): number | undefined {
    return this.#lines ? callingLine() : undefined
  }

  #note(step: Step) {
    this.happened++
    this.history.push(step)
  }

  #breaks(fault: Fault) {
    this.fault ??= { history: this.history.slice(-longestHistory), ...fault }
  }

  #sink(at: number): Sink {
    const { room, turns } = this.#attempt.sinks[at]
    const name = 'abc'[at]
    const { fails } = this.#attempt
    let consumed = 0
    const stream = new Writable({
      objectMode: true,
      highWaterMark: room,
      write: (chunk: string, _, done) => {
        const consume = () => {
          if (fails?.sink === at && fails.chunk === consumed) {
            this.#note({ who: name, what: `fails at chunk ${chunk}` })
            this.madeAtFailure ??= this.made
            const failure = new Error(`${name} has failed`)
            this.failure ??= failure
            return done(failure)
          }
          consumed++
          this.#note({ who: name, what: `has consumed ${chunk}` })
          done()
        }
        let left = turns
        const wait = () => {
          this.happened++
          if (left-- > 0) setImmediate(wait)
          else consume()
        }
        wait()
      },
    })
    const sink: Sink = { name, stream, written: 0, ended: false, wasFull: false }
    const { write, end } = stream
    let looks = 0
    for (const name of ['writableNeedDrain', 'writableLength'] as const) {
      Object.defineProperty(stream, name, {
        get: () => {
          if (++looks > mostLooks) this.#breaks({ ...polls, line: this.#line() })
          return Reflect.get(Writable.prototype, name, stream)
        },
      })
    }
    stream.write = (...values: unknown[]) => {
      const line = this.#line()
      const wasFull = stream.writableNeedDrain
      looks = 0
      sink.written++
      const step: Step = { who: 'sendToAll', to: name, what: `write ${values[0]}`, line }
      this.#note(step)
      // A stream that takes no time consumes it now.
      const returned = Reflect.apply(write, stream, values) as boolean
      step.what += `: ${returned}`
      sink.wasFull = !returned
      if (wasFull) {
        this.#breaks({
          says: 'It writes to a stream that is full.',
          expected: `at most ${room} in ${name}, until it drains`,
          received: `${stream.writableLength} chunks wait in ${name}`,
          line,
          why: 'write() takes the chunk even then: what the stream cannot consume waits in memory, without a bound.',
        })
      }
      return returned
    }
    stream.end = ((...values: unknown[]) => {
      this.#note({ who: 'sendToAll', to: name, what: 'end()', line: this.#line() })
      sink.ended = true
      return Reflect.apply(end, stream, values)
    }) as typeof end
    stream.on('drain', () => this.#note({ who: name, what: 'drain' }))
    stream.on('finish', () => this.#note({ who: name, what: 'finish' }))
    // What nobody listens to would end the process.
    stream.on('error', () => this.happened++)
    stream.on('newListener', (event) => {
      if (event === 'drain') this.#note({ who: 'sendToAll', to: name, what: 'listens for drain', line: this.#line() })
    })
    return sink
  }

  /** Makes chunks 1, 2, 3, … */
  source(): Iterable<string> {
    const next = (): IteratorResult<string, undefined> => {
      this.happened++
      if (this.made === this.#attempt.chunks) return { done: true, value: undefined }
      this.made++
      const line = this.#line()
      const ahead = this.made - Math.min(...this.sinks.map(({ written }) => written))
      if (ahead > mostAhead) {
        this.#breaks({
          says: 'It takes chunks from the source that it cannot write yet.',
          received: `${ahead} chunks are neither written nor consumed`,
          line,
        })
      }
      if (this.madeAtFailure !== undefined && this.made > this.madeAtFailure + mostAhead) {
        this.#breaks({ says: 'A stream has failed, and it goes on taking chunks.', line })
      }
      return { done: false, value: String(this.made) }
    }
    return { [Symbol.iterator]: () => ({ next }) }
  }
}

async function send(sendToAll: Solution['sendToAll'], attempt: Attempt, lines: boolean): Promise<Fault | undefined> {
  const sending = new Sending(attempt, lines)
  const streams = sending.sinks.map(({ stream }) => stream)
  const call = async () => await sendToAll(sending.source(), streams)
  // Judged at once: a moment later, more chunks are consumed.
  let settled: { fault: Fault | undefined } | { error: unknown } | undefined
  void call().then(
    () => {
      settled = { fault: resolved(sending, attempt) }
    },
    (error) => {
      settled = sending.failure ? { fault: rejected(sending, error) } : { error }
    },
  )
  for (let idle = 0; settled === undefined && sending.fault === undefined && idle < patience; idle++) {
    const before = sending.happened
    await turn()
    if (sending.happened > before) idle = 0
  }
  if (sending.fault) return sending.fault
  if (settled && 'error' in settled) throw settled.error
  const fault = settled ? settled.fault : stuck(sending)
  return fault && { history: sending.history.slice(-longestHistory), ...fault }
}

/** Why it waits for ever. */
function stuck({ failure, sinks }: Sending): Fault {
  if (failure)
    return {
      says: 'A stream has failed, and it waits for ever.',
      why: 'A stream that has failed never drains, and never finishes.',
    }
  if (process.getActiveResourcesInfo().includes('Timeout')) {
    return polls
  }
  // One of the listeners is ours.
  const awaited = sinks.find(({ stream }) => stream.listenerCount('drain') > 1)
  if (awaited?.wasFull)
    return {
      says: 'It waits for a drain that has already been.',
      why: 'An event that nobody listens to at that moment is lost.',
    }
  if (awaited)
    return {
      says: 'It waits for a drain although there is room.',
      why: 'Only a stream whose write() has returned false will drain.',
    }
  if (sinks.some(({ ended }) => !ended)) return { says: 'It does not end a stream, and waits for ever.' }
  return { says: 'All streams have finished, and it waits for ever.' }
}

function resolved({ failure, sinks }: Sending, { chunks }: Attempt): Fault | undefined {
  if (failure) return { says: 'A stream has failed, and it resolves.' }
  const less = sinks.find(({ written }) => written < chunks)
  if (less) {
    return {
      says: 'It resolves, and a stream has not got all chunks.',
      expected: `${chunks} for ${less.name}`,
      received: `${less.written}`,
    }
  }
  const open = sinks.find(({ stream }) => !stream.writableFinished)
  if (!open) return undefined
  return {
    says: 'It resolves before a stream has finished.',
    received: `${open.name} has not finished, with ${open.stream.writableLength} to consume`,
  }
}

function rejected({ failure, sinks }: Sending, error: unknown): Fault | undefined {
  if (error !== failure) {
    const received = error instanceof Error ? error.message : String(error)
    return {
      says: 'It rejects with another error than that of the stream.',
      expected: failure?.message ?? '',
      received,
    }
  }
  const open = sinks.find(({ stream }) => !stream.destroyed && !stream.writableFinished)
  return (
    open && {
      says: 'It rejects, and leaves another stream open.',
      received: `${open.name} is neither finished nor destroyed`,
    }
  )
}

export default exercise<Solution>({
  check: async ({ sendToAll }) =>
    await counterexample(
      attempts,
      async (attempt) => (await send(sendToAll, attempt, false)) && (await send(sendToAll, attempt, true)),
      { runs: 200, examples: [...smallAttempts, slowAttempt] },
    ),
})
