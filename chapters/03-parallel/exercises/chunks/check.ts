/** Loops whose chunks go wrong, two threads that share a loop, and when simulated workers would be done. */
import { counterexample } from '@repo/exercises/counterexample'
import { exercise, type Fault, longestHistory, type Step } from '@repo/exercises/exercise'
import { declaredAt } from '@repo/exercises/line'
import { type ThreadFunction, underEveryInterleaving } from '@repo/exercises/threads'
import fc from 'fast-check'

/** Tasks, from `from` to before `to`. */
export interface Range {
  from: number
  to: number
}

type Solution = typeof import('./exercise.ts')
type Take = Solution['take']

const sharedItems = 5

const share: ThreadFunction<Solution> = ({ take }, { memory, note }) => {
  // A thread that never gets to the end would do this for ever.
  for (let count = 0; count <= sharedItems; count++) {
    const chunk = take(memory, sharedItems, 2)
    if (!chunk) return
    note(`has ${textOf(chunk)}`)
  }
}

export const threads = { a: share, b: share }

const loops = fc.record({ items: fc.nat(100), workers: fc.integer({ min: 1, max: 8 }) })

export default exercise<Solution>({
  async check({ take }, { signal }) {
    const alone = await counterexample(loops, (loop) => uncovered(take, loop))
    if (alone) return { line: declaredAt('take'), ...alone }
    const together = await underEveryInterleaving({
      checker: import.meta.url,
      names: ['a', 'b'],
      words: 1,
      labels: ['next'],
      mostDeviations: 2,
      mostRuns: 200,
      signal,
      check: ({ history }) => handedOutTwice(history),
    })
    return together ?? late(take)
  },
})

/** A chunk, by its first and its last task. */
const textOf = ({ from, to }: Range) => (to === from + 1 ? `task ${from}` : `tasks ${from} to ${to - 1}`)

interface Loop {
  items: number
  workers: number
}

const many = (count: number, what: string) => `${count} ${what}${count === 1 ? '' : 's'}`

/** A loop of which one worker after the other takes chunks. */
function uncovered(take: Take, { items, workers }: Loop): Fault | undefined {
  const next = new Int32Array(1)
  const chunks: Range[] = []
  const loop = `${many(items, 'task')} for ${many(workers, 'worker')}`
  const received = () => `${loop}: ${chunks.map(({ from, to }) => `[${from}, ${to})`).join(' ') || 'no chunk'}`
  let [done, before] = [0, Number.POSITIVE_INFINITY]
  for (;;) {
    const chunk = take(next, items, workers)
    if (!chunk) break
    chunks.push(chunk)
    const { from, to } = chunk
    const says = wrongChunk(chunk, done, before, items)
    if (says !== undefined) return { says, received: received() }
    done = to
    before = to - from
  }
  if (done < items) return { says: 'A task is never handed out.', received: received() }
  const [first, last] = [chunks[0], chunks.at(-1)]
  if (!first || !last || workers === 1 || items < 8 * workers || first.to - first.from > last.to - last.from)
    return undefined
  return { says: 'The chunks do not become smaller.', received: received() }
}

function wrongChunk({ from, to }: Range, done: number, before: number, items: number): string | undefined {
  if (!Number.isInteger(from) || !Number.isInteger(to)) return 'A chunk does not begin and end at a whole task.'
  if (to <= from) return 'A chunk has no task in it: the loop never ends.'
  if (from < done) return 'A task is handed out twice.'
  if (from > done) return 'A task is never handed out.'
  if (to > items) return 'A chunk goes beyond the last task.'
  if (to - from > before) return 'A chunk is larger than the one before.'
  return undefined
}

/** A task that two threads have. */
function handedOutTwice(history: readonly Step[]): Fault | undefined {
  const taken = new Map<number, number>()
  for (const [at, { what }] of history.entries()) {
    const [, first, last = first] = /^has tasks? (\d+)(?: to (\d+))?$/.exec(what) ?? []
    for (let task = Number(first); task <= Number(last); task++) {
      if (task >= sharedItems) {
        const why = 'What was left when the thread looked is not what is left when it takes: both must be one step.'
        return {
          says: 'A chunk goes beyond the last task.',
          history: history.slice(0, at + 1).slice(-longestHistory),
          why,
        }
      }
      if (taken.has(task)) {
        const why =
          'Between reading the word and moving it, the other thread read it as well: only one of them may move it.'
        const both = [...takeEndingAt(history, taken.get(task) ?? at), ...takeEndingAt(history, at)]
        return { says: `Two threads have task ${task}.`, history: history.filter((step) => both.includes(step)), why }
      }
      taken.set(task, at)
    }
  }
  const missing = Array.from({ length: sharedItems }, (_, task) => task).find((task) => !taken.has(task))
  return missing === undefined
    ? undefined
    : {
        says: `Two threads share the loop, and none of them has task ${missing}.`,
        history: history.slice(-longestHistory),
      }
}

/** The steps of a thread from its last note to this one. */
function takeEndingAt(history: readonly Step[], note: number): Step[] {
  const own = history.slice(0, note + 1).filter(({ who }) => who === history[note]?.who)
  const before = own.findLastIndex(({ what }, at) => at < own.length - 1 && what.startsWith('has'))
  return own.slice(before + 1).slice(-longestHistory / 2)
}

/** How long each task takes, in units of an average task. */
const lengths: Record<string, (task: number, items: number) => number> = {
  'tasks that become longer': (task, items) => (2 * (task + 0.5)) / items,
  'tasks that become shorter': (task, items) => (2 * (items - task - 0.5)) / items,
  'tasks of one length': () => 1,
}
const handingOut = 1
const mostTimesEven = 1.25

/** The workers are done too late. */
function late(take: Take): Fault | undefined {
  for (const workers of [2, 4, 8]) {
    for (const [which, lengthOf] of Object.entries(lengths)) {
      const items = 100 * workers
      const free = Array.from({ length: workers }, () => 0)
      const next = new Int32Array(1)
      const steps: Step[] = []
      for (let chunk = take(next, items, workers); chunk; chunk = take(next, items, workers)) {
        const worker = free.indexOf(Math.min(...free))
        free[worker] += handingOut
        for (let task = chunk.from; task < chunk.to; task++) free[worker] += lengthOf(task, items)
        steps.push({ who: `worker ${worker + 1}`, what: `${textOf(chunk)}, until ${Math.round(free[worker])}` })
      }
      const [end, even] = [Math.max(...free), items / workers]
      if (end <= mostTimesEven * even) continue
      return {
        says: `With ${which}, ${workers} workers are done too late.`,
        expected: `at most ${mostTimesEven * even}, where an average task takes 1; shared evenly it would take ${even}`,
        line: declaredAt('take'),
        received: `${Math.round(end)}, with ${steps.length} chunks for ${items} tasks${steps.length > 6 ? '; the first 6:' : ''}`,
        // Few chunks: which one is the last to be done? Many: what they cost shows in their number.
        history: steps.slice(0, 6),
        why: 'The end is late if a worker still has a large chunk when no task is left for the others, or if handing out takes too long.',
      }
    }
  }
  return undefined
}
