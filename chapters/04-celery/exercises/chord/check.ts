/** A group of two under every schedule, where a member is delivered twice and a worker may be killed; then two groups. */
import { type Ended, type Stage, underEverySchedule } from '@repo/exercises/actors'
import { exercise, type Fault } from '@repo/exercises/exercise'
import { upTo } from '@repo/exercises/history'
import { declaredAt } from '@repo/exercises/line'

type Solution = typeof import('./exercise.ts')

/** A member of a group that has ended. */
export interface Member {
  /** The group's name. */
  group: string
  /** The number of members. */
  size: number
  /** The member's place in the group, from 0. */
  at: number
  result: number
}

/** Hashes and counters on a server. Each call is one step there. */
export interface Store {
  /** Adds 1 to a counter, which begins with 0, and returns what it is then. */
  increment(counter: string): Promise<number>
  /** Writes a field of a hash. Returns whether the field is new. */
  put(hash: string, field: number, value: number): Promise<boolean>
  /** Returns the fields of a hash, in the order in which they were first written. */
  all(hash: string): Promise<Map<number, number>>
}

export interface Queue {
  /** Starts the callback with these results. A task with an id that the queue has seen before is ignored. */
  send(results: readonly number[], options?: { id?: string }): Promise<void>
}

const groups = { sum: [20, 10], largest: [5, 7] }

/** The server of one run, and the callbacks that were started. */
function begin(stage: Stage) {
  const counters = new Map<string, number>()
  const hashes = new Map<string, Map<number, number>>()
  const ids = new Set<string>()
  const sent: (readonly number[])[] = []
  const hash = (name: string) => hashes.get(name) ?? new Map<number, number>()
  const store: Store = {
    increment: (counter) =>
      stage.step(
        (now: number) => `adds 1: ${now}`,
        () => {
          counters.set(counter, (counters.get(counter) ?? 0) + 1)
          return counters.get(counter) ?? 0
        },
      ),
    put: (name, field, value) =>
      stage.step(
        (isNew: boolean) => `stores ${value}${isNew ? '' : ' again'}`,
        () => {
          const fields = hash(name)
          const isNew = !fields.has(field)
          hashes.set(name, fields.set(field, value))
          return isNew
        },
      ),
    all: (name) =>
      stage.step(
        (all: Map<number, number>) => `reads ${[...all.values()].join(' and ') || 'nothing'}`,
        () => new Map(hash(name)),
      ),
  }
  const queue: Queue = {
    async send(given, { id } = {}) {
      const text = `callback(${given.join(', ')})`
      await stage.step(
        (isNew: boolean) => `${isNew ? 'starts' : 'repeats'} ${text}`,
        () => {
          if (id !== undefined && ids.has(id)) return false
          if (id !== undefined) ids.add(id)
          sent.push([...given])
          return true
        },
      )
    },
  }
  return { store, queue, sent }
}

/** A group of two. One member is delivered twice, and a worker may be killed. */
const oneGroup = async ({ memberEnded }: Solution, signal: AbortSignal) =>
  await underEverySchedule(
    (stage) => {
      const { store, queue, sent } = begin(stage)
      const [group, results] = ['sum', groups.sum]
      const member = (at: number) => async () => {
        await memberEnded({ group, size: results.length, at, result: results[at] ?? 0 }, store, queue)
      }
      const places: Record<string, number> = { a: 0, b: 1 }
      return {
        actors: { a: member(0), b: member(1), 'a again': member(0) },
        mortal: ['a', 'b'],
        successor: (killed) => member(places[killed] ?? 0),
        check: (ended) => faultOf(ended, sent),
      }
    },
    { mostDeviations: 2, mostRuns: 1_000, signal },
  )

/** Two groups, one after the other. */
const twoGroups = async ({ memberEnded }: Solution) =>
  await underEverySchedule(
    (stage) => {
      const { store, queue, sent } = begin(stage)
      async function worker() {
        for (const [group, results] of Object.entries(groups)) {
          for (const [at, result] of results.entries()) {
            await memberEnded({ group, size: results.length, at, result }, store, queue)
          }
        }
      }
      return {
        actors: { worker },
        check() {
          const [expected, received] = [textOf(Object.values(groups)), textOf(sent)]
          if (received === expected) return undefined
          const why = 'The names of hashes and counters, and the id of the callback, have to say whose they are.'
          return { says: 'Two groups get in the way of each other.', expected, received, why }
        },
      }
    },
    { mostDeviations: 0 },
  )

const textOf = (callbacks: readonly (readonly number[])[]) => callbacks.map((results) => `[${results}]`).join(' and ')

export default exercise<Solution>({
  check: async (solution, { signal }) => (await oneGroup(solution, signal)) ?? (await twoGroups(solution)),
})

function faultOf({ history, killed }: Ended, sent: readonly (readonly number[])[]): Fault | undefined {
  const [first] = sent
  const shown = upTo(history, ({ what }) => what.startsWith('starts'))
  if (first === undefined) {
    const [who] = killed
    if (who === undefined)
      return { says: 'All members have ended, and nobody starts the callback.', line: declaredAt('memberEnded') }
    const why = 'A worker that died after its first step must be able to do all of it again.'
    return { says: 'A worker is killed, and the callback never starts.', why }
  }
  const results = groups.sum
  const [expected, received] = [`[${results}]`, `[${first}]`]
  if (results.some((result) => !first.includes(result))) {
    const why = 'A member that is delivered twice has still ended only once.'
    return { says: 'The callback starts before all members have ended.', expected, received, history: shown, why }
  }
  if (expected !== received) {
    const says = 'The callback gets the results in another order than that of the group.'
    return { says, expected, received, history: shown }
  }
  if (sent.length > 1) {
    const why = 'Two workers can both see all results. Only the queue can tell that they start the same callback.'
    return { says: 'The callback starts twice.', history: shown, why }
  }
  return undefined
}
