/** Rings of one to four ranks, in different orders. The vectors are such that a sum shows whose numbers are in it. */
import { type Ended, type Stage, underEverySchedule } from '@repo/exercises/actors'
import { exercise, type Fault, longestHistory, type Step } from '@repo/exercises/exercise'
import { callingLine, declaredAt } from '@repo/exercises/line'

type Solution = typeof import('./exercise.ts')

/** A rank's place in the ring, and its two connections. */
export interface Ring {
  /** From 0 to size − 1. */
  rank: number
  size: number
  /** Sends numbers to the next rank. Does not wait until they are received. */
  send(numbers: readonly number[]): Promise<void>
  /** Waits for the next message of the rank before, and returns its numbers. */
  receive(): Promise<number[]>
}

const cases = [
  { size: 1, length: 2, mostDeviations: 0 },
  { size: 2, length: 3, mostDeviations: 2 },
  { size: 3, length: 5, mostDeviations: 1 },
  { size: 3, length: 2, mostDeviations: 0 },
  { size: 4, length: 9, mostDeviations: 0 },
]

/** The connections of a ring, and what went over them. */
class Connections {
  /** By their senders. */
  readonly sent: number[][][]
  readonly #stage: Stage
  readonly #size: number
  readonly #waiting: { messages: number[][]; wake: (() => void)[] }[]
  /** Those that wait for a message, by their rank, with their lines. */
  readonly receiving = new Map<number, number | undefined>()

  constructor(stage: Stage, size: number) {
    this.#stage = stage
    this.#size = size
    this.sent = Array.from({ length: size }, () => [])
    this.#waiting = Array.from({ length: size }, () => ({ messages: [], wake: [] }))
  }

  get left(): number {
    return this.#waiting.reduce((count, { messages }) => count + messages.length, 0)
  }

  ring(rank: number): Ring {
    const size = this.#size
    const next = (rank + 1) % size
    return {
      rank,
      size,
      send: async (numbers) => {
        // A copy, as a connection makes one.
        const message = [...numbers]
        await this.#stage.step(
          `sends ${message.join(' ') || 'nothing'}`,
          () => {
            this.sent[rank]?.push(message)
            this.#waiting[next]?.messages.push(message)
            for (const wake of this.#waiting[next]?.wake.splice(0) ?? []) wake()
          },
          { to: `rank ${next}` },
        )
      },
      receive: async () => {
        const own = this.#waiting[rank]
        this.receiving.set(rank, callingLine())
        while (own && own.messages.length === 0) await new Promise<void>((resolve) => own.wake.push(resolve))
        this.receiving.delete(rank)
        const message = own?.messages.shift() ?? []
        return await this.#stage.step(`receives ${message.join(' ') || 'nothing'}`, () => message)
      },
    }
  }
}

const ringOf = async (
  { allReduce }: Solution,
  { size, length, mostDeviations }: (typeof cases)[number],
  signal: AbortSignal,
) =>
  await underEverySchedule(
    (stage) => {
      const connections = new Connections(stage, size)
      // 1, 2, 3 for rank 0; 10, 20, 30 for rank 1.
      const vectors = Array.from({ length: size }, (_, rank) =>
        Array.from({ length }, (_, at) => (at + 1) * 10 ** rank),
      )
      const run = (rank: number) => async () =>
        await allReduce(connections.ring(rank), Object.freeze([...(vectors[rank] ?? [])]))
      return {
        actors: Object.fromEntries(vectors.map((_, rank) => [`rank ${rank}`, run(rank)])),
        check: (ended) => faultOf(ended, connections, vectors),
      }
    },
    { mostDeviations, mostRuns: 300, signal },
  )

function faultOf(
  { returned, stuck, history }: Ended,
  connections: Connections,
  vectors: readonly number[][],
): Fault | undefined {
  const { sent, receiving, left } = connections
  const size = vectors.length
  const length = vectors[0]?.length ?? 0
  const messages = sent.reduce((count, each) => count + each.length, 0)
  const isSend = ({ what }: Step) => what.startsWith('sends')
  /** What a rank sends decides what the others can add up. */
  const shown = (steps: readonly Step[] = history) => ({
    history: steps.slice(-longestHistory),
    line: steps.find(isSend)?.line,
  })
  if (stuck.length > 0) {
    const waits = [...receiving].map(
      ([rank, line]): Step => ({ who: `rank ${rank}`, what: 'waits for a message', line }),
    )
    const steps = [...history, ...waits].slice(-longestHistory)
    if (messages === 0)
      return {
        says: 'Every rank waits for a message, and nobody has sent one.',
        history: steps,
        why: 'A rank that receives first needs one that sends first.',
      }
    return { says: `${stuck[0]} waits for a message that never comes.`, history: steps }
  }
  if (size > 1 && messages === 0)
    return { says: 'Nobody has sent anything: each rank has its own numbers only.', line: declaredAt('allReduce') }
  const sum = Array.from({ length }, (_, at) => vectors.reduce((total, vector) => total + (vector[at] ?? 0), 0))
  for (const [rank, vector] of vectors.entries()) {
    const received = returned.get(`rank ${rank}`)
    const [text, expected] = [Array.isArray(received) ? received.join(' ') : String(received), sum.join(' ')]
    if (text === expected) continue
    const own =
      Array.isArray(received) && received.length === length
        ? received.findIndex((number, at) => number !== sum[at] && number === vector[at])
        : -1
    const everybody = vectors.every(
      (each, other) => (returned.get(`rank ${other}`) as number[] | undefined)?.[own] === each[own],
    )
    if (own >= 0 && everybody) {
      const why = `A length of ${length} is no multiple of ${size}: some chunks must be longer than others.`
      return { says: 'A number is in no chunk: nobody adds it up.', expected, received: text, ...shown(), why }
    }
    return {
      says: 'A rank ends with another sum.',
      expected: `rank ${rank}: ${expected}`,
      received: `rank ${rank}: ${text}`,
      ...shown(),
      why: 'A chunk is finished only at the rank that was the last to add its numbers: there the second round begins.',
    }
  }
  if (left > 0)
    return { says: 'A message is sent that nobody receives.', received: `${left} of ${messages}`, ...shown() }
  const most = { messages: 2 * (size - 1), numbers: 2 * (size - 1) * Math.ceil(length / size) }
  for (const [rank, all] of sent.entries()) {
    if (all.length > most.messages) {
      return {
        says: 'A rank sends too many messages.',
        expected: `at most ${most.messages}`,
        received: `rank ${rank}: ${all.length}`,
        ...shown(history.filter(isSend)),
      }
    }
    if (all.flat().length > most.numbers) {
      const why = 'A rank that passes on whole vectors sends more, the more ranks there are.'
      return {
        says: 'The sums are right, but a rank sends too many numbers.',
        expected: `at most ${most.numbers}`,
        received: `rank ${rank}: ${all.flat().length}`,
        ...shown(history.filter(isSend)),
        why,
      }
    }
  }
  return undefined
}

export default exercise<Solution>({
  async check(solution, { signal }) {
    for (const each of cases) {
      const fault = await ringOf(solution, each, signal)
      if (fault) return fault
    }
    return undefined
  },
})
