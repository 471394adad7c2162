/** Processes with wrong clocks: how wrong they find themselves to be, and in which order each kind of clock puts what happened. */
import { setImmediate as nextTurn } from 'node:timers/promises'
import { randomFrom } from '@repo/common/async/random'
import { type Program, startProgram } from '@repo/common/process/child'
import { AsyncDisposableStack } from '@whatwg-node/disposablestack'
import { compareHybrid, type HybridTime, happenedBefore } from './logical.ts'
import { best, cristian, type Exchange, ntp, type Offset } from './sync.ts'

/** What a process is told when it starts. */
export interface ClockSettings {
  /** Its index; 0 has a right clock. */
  self: number
  processes: number
  /** How wrong its clock is at first, and how much more each second: parts per million. */
  offsetMs: number
  driftPpm: number
  /** The most that the network takes for a message; simulated. */
  delayMs: number
  seed: number
  /** When the run began, by the machine's monotonic clock, in ns. */
  beginNs: string
}

/** What the clocks of a process say at one moment. */
export interface Reading {
  wall: number
  lamport: number
  vector: number[]
  hybrid: HybridTime
}

export interface ClockEvent extends Reading {
  process: number
  what: 'local' | 'send' | 'receive'
  /** Of `send` and `receive`: which message. */
  message: string | undefined
  /** By the clock that all processes of this machine share, and that a distributed system does not have. */
  trueMs: number
}

export type Packet =
  | { do: 'ask'; number: number; sent: number }
  | { do: 'answer'; number: number; exchange: Omit<Exchange, 'received'> }
  | { do: 'tell'; message: string; reading: Reading }

export type Command =
  | { do: 'ask'; port: number; rounds: number }
  | { do: 'chat'; ports: number[]; messages: number }
  | { do: 'report' }

/** An exchange, and when it ended. */
export interface Sample {
  exchange: Exchange
  trueMs: number
}

export interface ClocksOptions {
  processes: number
  /** Each sends so many. */
  messages: number
  /** How wrong a clock is at most, in ms, and its drift in parts per million. */
  skewMs: number
  driftPpm: number
  delayMs: number
  /** How often each process asks process 0 for its time. */
  rounds: number
  seed: number
  signal?: AbortSignal
  /** Called with how many messages have been sent. */
  onProgress?: (sent: number) => void
}

/** What a process finds out about its clock. */
export interface Estimate {
  process: number
  /** How far the clock of process 0 was ahead of its own: the injected truth. */
  trueOffset: number
  cristian: Offset
  ntp: Offset
  /** Every single exchange, by both, with the truth at its time. */
  all: { trueOffset: number; cristian: Offset; ntp: Offset }[]
}

/** Starts the processes, has them ask for the time, then talk to each other; returns what they found and saw. */
export async function runClocks(options: ClocksOptions): Promise<{ estimates: Estimate[]; events: ClockEvent[] }> {
  const { processes, messages, skewMs, driftPpm, delayMs, rounds, seed, signal, onProgress } = options
  const random = randomFrom(seed)
  const beginNs = String(process.hrtime.bigint())
  const settings = Array.from({ length: processes }, (_, self): ClockSettings => {
    const within = (most: number) => (self === 0 ? 0 : most * (2 * random() - 1))
    const wrong = { offsetMs: within(skewMs), driftPpm: within(driftPpm) }
    return { self, processes, ...wrong, delayMs, seed: Math.floor(random() * 2 ** 31), beginNs }
  })
  await using stack = new AsyncDisposableStack()
  const programs = await Promise.all(
    settings.map(async (given) =>
      stack.use(
        await startProgram<{ port: number }>(new URL('./clocks.program.ts', import.meta.url), {
          args: [JSON.stringify(given)],
          signal,
        }),
      ),
    ),
  )
  const ports = programs.map(({ info }) => info.port)
  let sent = 0
  const answerTo = async <Answer>(program: Program<unknown>, command: Command): Promise<Answer> => {
    const { promise: answered, resolve } = Promise.withResolvers<Answer>()
    const listen = (message: Answer | { sent: true }) => {
      if (typeof message === 'object' && message !== null && 'sent' in message) onProgress?.(++sent)
      else resolve(message as Answer)
    }
    program.process.on('message', listen)
    program.process.send(command)
    const gone = program.exited.then(({ code, signal: by }): never => {
      signal?.throwIfAborted()
      throw new Error(`a process with a clock ended by itself, with ${by ?? `exit code ${code}`}`)
    })
    return await Promise.race([answered, gone]).finally(() => program.process.off('message', listen))
  }

  const wallAt = ({ driftPpm, offsetMs }: ClockSettings, trueMs: number) => trueMs * (1 + driftPpm / 1e6) + offsetMs
  const estimates = await Promise.all(
    programs.slice(1).map(async (program, at): Promise<Estimate> => {
      const ask: Command = { do: 'ask', port: ports[0] ?? 0, rounds }
      const { samples } = await answerTo<{ samples: Sample[] }>(program, ask)
      const [right, own] = [settings[0], settings[at + 1]] as [ClockSettings, ClockSettings]
      const all = samples.map(({ exchange, trueMs }) => {
        const trueOffset = wallAt(right, trueMs) - wallAt(own, trueMs)
        return { trueOffset, cristian: cristian(exchange), ntp: ntp(exchange) }
      })
      const last = all.at(-1)?.trueOffset ?? 0
      const chosen = { cristian: best(all.map((each) => each.cristian)), ntp: best(all.map((each) => each.ntp)) }
      return { process: at + 1, trueOffset: last, ...chosen, all }
    }),
  )
  await Promise.all(programs.map((program) => answerTo(program, { do: 'chat', ports, messages })))
  const reports = await Promise.all(programs.map((each) => answerTo<{ events: ClockEvent[] }>(each, { do: 'report' })))
  return { estimates, events: reports.flatMap(({ events }) => events) }
}

export interface Verdict {
  clock: string
  /** Pairs of which the first could have been the second's cause, and which the clock puts the other way round or leaves equal. */
  causesAfterEffects: number
  /** Messages of which the clock says that they were received before they were sent. */
  receivedBeforeSent: number
  /** Pairs of which nobody knew which was first, and of which the clock nevertheless says so. */
  madeUp: number
}

export interface Judgement {
  events: number
  messages: number
  /** Pairs of events, of which so many are concurrent: neither could have caused the other. */
  pairs: number
  concurrent: number
  verdicts: Verdict[]
  /** The ids of the messages that were received before they were sent, by the wall clocks. */
  impossible: Set<string>
  /** How far a hybrid clock was from the right time at most, in ms. */
  hybridErrorMs: number
}

/**
 * Holds each clock's order against what could have caused what. Pairs are counted and not kept: there may be a hundred
 * million of them, and Ctrl-C must be heard meanwhile.
 *
 * @param corrections by process, what is to be added to its wall clock
 * @param onProgress called with the share of the events that have been compared with all others
 */
export async function judge(
  events: readonly ClockEvent[],
  corrections: readonly number[],
  { signal, onProgress }: { signal?: AbortSignal; onProgress?: (share: number) => void } = {},
): Promise<Judgement> {
  const corrected = ({ wall, process }: ClockEvent) => wall + (corrections[process] ?? 0)
  const orders: Record<string, (a: ClockEvent, b: ClockEvent) => number> = {
    'wall clock': (a, b) => a.wall - b.wall,
    'wall clock, corrected': (a, b) => corrected(a) - corrected(b),
    Lamport: (a, b) => a.lamport - b.lamport,
    vector: (a, b) => Number(isBefore(b, a)) - Number(isBefore(a, b)),
    hybrid: (a, b) => compareHybrid(a.hybrid, b.hybrid),
  }
  const sent = new Map(events.filter(({ what }) => what === 'send').map((event) => [event.message, event]))
  const messages = events.flatMap((event): [ClockEvent, ClockEvent][] => {
    const sending = event.what === 'receive' ? sent.get(event.message) : undefined
    return sending ? [[sending, event]] : []
  })
  const judged = Object.entries(orders).map(([clock, compare]) => {
    const receivedBeforeSent = messages.filter(([sending, receipt]) => compare(sending, receipt) > 0).length
    return { compare, verdict: { clock, causesAfterEffects: 0, receivedBeforeSent, madeUp: 0 } }
  })
  let concurrent = 0
  for (const [at, a] of events.entries()) {
    await nextTurn(undefined, { signal })
    // The first ones have more others after them.
    onProgress?.(1 - (1 - at / events.length) ** 2)
    for (let other = at + 1; other < events.length; other++) {
      const b = events[other] as ClockEvent
      const order = Number(isBefore(b, a)) - Number(isBefore(a, b))
      if (order === 0) concurrent++
      for (const { compare, verdict } of judged) {
        const says = compare(a, b)
        if (order === 0) verdict.madeUp += Number(says !== 0)
        else verdict.causesAfterEffects += Number(says * order <= 0)
      }
    }
  }
  return {
    events: events.length,
    messages: messages.length,
    pairs: (events.length * (events.length - 1)) / 2,
    concurrent,
    verdicts: judged.map(({ verdict }) => verdict),
    impossible: new Set(
      messages.flatMap(([sending, { wall }]) => (sending.wall > wall ? [sending.message ?? ''] : [])),
    ),
    hybridErrorMs: Math.max(...events.map(({ hybrid, trueMs }) => Math.abs(hybrid.ms - trueMs))),
  }
}

/** Lamport's relation, by what the vector clocks have counted. */
const isBefore = (a: ClockEvent, b: ClockEvent) => happenedBefore(a.vector, b.vector)
