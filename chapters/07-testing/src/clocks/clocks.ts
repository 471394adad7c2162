/** Real processes with wrong clocks that ask each other for the time and send each other messages. */
import { randomFrom } from '@repo/common/async/random'
import { type Program, startProgram } from '@repo/common/process/child'
import { AsyncDisposableStack } from '@whatwg-node/disposablestack'
import type { HybridTime } from './logical.ts'
import type { Exchange } from './sync.ts'

/** What a process is told when it starts. */
export interface ClockSettings {
  /** Its index. The clock of process 0 is right. */
  self: number
  processes: number
  /** The initial error of its clock, and how much it gains or loses, in parts per million. */
  offsetMs: number
  driftPpm: number
  /** The longest that the simulated network takes for a message. */
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
  /** The id of the message, for `send` and `receive`. */
  message: string | undefined
  /** By the clock that all processes of this machine share. A distributed system does not have one. */
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
  /** The most by which a clock is wrong, and its largest drift. */
  skewMs: number
  driftPpm: number
  delayMs: number
  seed: number
  signal?: AbortSignal
}

/**
 * An exchange of a process with process 0, and how far process 0's clock was ahead when it ended: the injected truth.
 */
export interface Probe {
  process: number
  exchange: Exchange
  trueOffset: number
}

export interface Clocks extends AsyncDisposable {
  /** Each process but the first asks process 0 for the time, `rounds` times. */
  ask: (rounds: number) => Promise<Probe[]>
  /**
   * Each process sends `messages` messages to others, and records what every clock says at each event.
   *
   * @param onSent called with the number of messages that have been sent
   */
  chat: (messages: number, onSent?: (sent: number) => void) => Promise<ClockEvent[]>
}

/** Starts the processes and sets their clocks wrong. The same seed gives the same errors. */
export async function startClocks(options: ClocksOptions): Promise<Clocks> {
  const { processes, skewMs, driftPpm, delayMs, seed, signal } = options
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

  async function answerTo<Answer>(program: Program<unknown>, command: Command, onSent?: () => void): Promise<Answer> {
    const { promise: answered, resolve } = Promise.withResolvers<Answer>()
    const listen = (message: Answer | { sent: true }) => {
      if (typeof message === 'object' && message !== null && 'sent' in message) onSent?.()
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

  const wallAt = (index: number, trueMs: number) => {
    const { driftPpm = 0, offsetMs = 0 } = settings[index] ?? {}
    return trueMs * (1 + driftPpm / 1e6) + offsetMs
  }
  const owned = stack.move()
  return {
    async ask(rounds) {
      const [, ...askers] = programs
      const answers = await Promise.all(
        askers.map((each) => answerTo<{ samples: Sample[] }>(each, { do: 'ask', port: ports[0] ?? 0, rounds })),
      )
      return answers.flatMap(({ samples }, at) =>
        samples.map(({ exchange, trueMs }) => ({
          process: at + 1,
          exchange,
          trueOffset: wallAt(0, trueMs) - wallAt(at + 1, trueMs),
        })),
      )
    },
    async chat(messages, onSent) {
      let sent = 0
      await Promise.all(programs.map((each) => answerTo(each, { do: 'chat', ports, messages }, () => onSent?.(++sent))))
      // Only now: while others are sending, messages still arrive.
      const reports = await Promise.all(
        programs.map((each) => answerTo<{ events: ClockEvent[] }>(each, { do: 'report' })),
      )
      return reports.flatMap(({ events }) => events)
    },
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  }
}
