/** Two producers share a queue with two workers, and then with one, in every order of their operations. */
import { type Ended, type Play, type Stage, underEverySchedule } from '@repo/exercises/actors'
import { exercise, type Fault, longestHistory } from '@repo/exercises/exercise'

/** A task, or the stop marker. */
export type Item = string | null

export interface ProducerOptions {
  queue: { put: (item: Item) => Promise<void> }
  /** How many workers there are. */
  workers: number
  /** What all producers share: at first their number. */
  counter: {
    get: () => Promise<number>
    set: (value: number) => Promise<void>
    /** Subtracts one in a single step, and returns what is left. */
    countDown: () => Promise<number>
  }
}

export interface WorkerOptions {
  queue: {
    /** Takes the first item. If there is none, waits until there is. */
    take: () => Promise<Item>
    put: (item: Item) => Promise<void>
  }
  /** Does a task. */
  perform: (task: string) => Promise<void>
}

type Solution = typeof import('./exercise.ts')

const tasks = { 'producer a': 'a1', 'producer b': 'b1' }

export default exercise<Solution>({
  async check(solution, { signal }) {
    // As many workers as producers could be right by chance.
    for (const workers of [['worker 1', 'worker 2'], ['worker 1']]) {
      const fault = await underEverySchedule((stage) => play(stage, solution, workers), { mostRuns: 300, signal })
      if (fault) return fault
    }
    return undefined
  },
})

function play(stage: Stage, { produce, work }: Solution, workers: readonly string[]): Play {
  const items: Item[] = []
  const waiting: { who: string; give: (item: Item) => void }[] = []
  const done: string[] = []
  let left = Object.keys(tasks).length

  const nameOf = (item: Item) => item ?? 'a stop marker'
  async function put(item: Item): Promise<void> {
    const what = (who: string | undefined) => `puts ${nameOf(item)}${who === undefined ? '' : `: ${who} gets it`}`
    await stage.step(what, () => {
      const first = waiting.shift()
      if (first) first.give(item)
      else items.push(item)
      return first?.who
    })
  }
  async function take(who: string): Promise<Item> {
    const later = Promise.withResolvers<Item>()
    const what = (item: Item | undefined) => (item === undefined ? 'waits for a task' : `takes ${nameOf(item)}`)
    const item = await stage.step(what, () => {
      const first = items.shift()
      if (first === undefined) waiting.push({ who, give: later.resolve })
      return first
    })
    return item === undefined ? await later.promise : item
  }
  const counter = {
    get: () =>
      stage.step(
        (value) => `reads the counter: ${value}`,
        () => left,
      ),
    set: (value: number) =>
      stage.step(`sets the counter to ${value}`, () => {
        left = value
      }),
    countDown: () =>
      stage.step(
        (value) => `counts down: ${value} left`,
        () => --left,
      ),
  }
  const perform = (task: string) => stage.step(`does ${task}`, () => void done.push(task))
  return {
    actors: {
      ...Object.fromEntries(
        Object.entries(tasks).map(([who, task]) => [
          who,
          () => produce([task], { queue: { put }, workers: workers.length, counter }),
        ]),
      ),
      ...Object.fromEntries(
        workers.map((who) => [who, () => work({ queue: { take: () => take(who), put }, perform })]),
      ),
    },
    check: (ended) => lost(ended, done, workers) ?? endless(ended),
  }
}

/** A task that was not done, or twice. */
function lost({ history, stuck }: Ended, done: readonly string[], workers: readonly string[]): Fault | undefined {
  for (const task of Object.values(tasks)) {
    const times = done.filter((each) => each === task).length
    const steps = history.slice(-longestHistory)
    if (times > 1) return { says: `${task} is done ${times} times.`, history: steps }
    if (times === 1) continue
    if (!history.some(({ what }) => what.startsWith(`puts ${task}`)))
      return { says: `Nobody puts ${task} into the queue.`, history: steps }
    if (stuck.length > 0) continue
    return {
      says: `${task} is never done: ${workers.length === 1 ? 'the worker has' : 'both workers have'} ended.`,
      history: steps,
      line: history.find(({ what }) => what.startsWith('puts a stop'))?.line,
      why: 'A stop marker has to come after the tasks of all producers.',
    }
  }
  return undefined
}

function endless({ history, stuck }: Ended): Fault | undefined {
  const [sleeper] = stuck
  if (sleeper === undefined) return undefined
  const isAboutTheEnd = (who: string, what: string) => who in tasks || /^waits|stop marker/.test(what)
  const steps = history.filter(({ who, what }) => isAboutTheEnd(who, what)).slice(-longestHistory)
  const line = history.findLast(({ who }) => who in tasks)?.line
  if (!history.some(({ what }) => what.startsWith('puts a stop'))) {
    return {
      says: 'No worker ends: nobody puts a stop marker.',
      history: steps,
      line,
      why: 'Each producer leaves it to the other one.',
    }
  }
  const why = 'A worker that takes a stop marker takes it away from the others.'
  return { says: `${sleeper} never ends: no stop marker is left for it.`, history: steps, line, why }
}
