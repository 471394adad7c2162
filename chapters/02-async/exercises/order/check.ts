/** Runs programs of callbacks in Node, and compares the order. */
import { stat } from 'node:fs'
import { counterexample } from '@repo/exercises/counterexample'
import { exercise, type Fault, longestHistory, type Step } from '@repo/exercises/exercise'
import { callingLine } from '@repo/exercises/line'
import fc from 'fast-check'

/** How a callback starts another one. */
export type Way = 'nextTick' | 'queueMicrotask' | 'setImmediate' | 'setTimeout'

/** A callback, and what it starts when it runs, in this order. */
export interface Callback {
  name: string
  starts: readonly { by: Way; callback: Callback }[]
}

type Solution = typeof import('./exercise.ts')
/** A program as an outline: a callback is started by the last one before it that is less deep, or by main. */
type Outline = readonly { by: Way; depth: number }[]

const ways = {
  nextTick: (run: () => void) => process.nextTick(run),
  queueMicrotask,
  setImmediate,
  setTimeout: (run: () => void) => setTimeout(run, 0),
} satisfies Record<Way, (run: () => void) => unknown>

const mostCallbacks = 14
/** The clock of the loop counts whole milliseconds, and may be one behind. */
const dueMs = 2.5

/** Each callback of an outline can be left out: what it starts is then started by another one. */
const outlines: fc.Arbitrary<Outline> = fc
  .array(
    fc.option(
      fc.record({
        by: fc.constantFrom<Way>('nextTick', 'queueMicrotask', 'setImmediate', 'setTimeout'),
        depth: fc.nat(2),
      }),
    ),
    { maxLength: mostCallbacks },
  )
  .map((outline) => outline.filter((each) => each !== null))

/** A program for each rule, so that a mistake is shown by the smallest program that it breaks. */
const rules: readonly Outline[] = (
  [
    ['queueMicrotask', 'nextTick'],
    ['nextTick', ' nextTick', 'queueMicrotask'],
    ['queueMicrotask', ' queueMicrotask', 'queueMicrotask'],
    ['queueMicrotask', ' nextTick', 'queueMicrotask'],
    ['setImmediate', 'queueMicrotask'],
    ['setImmediate', ' nextTick', 'setImmediate'],
    ['setImmediate', ' queueMicrotask', 'setImmediate'],
    ['setTimeout', 'setImmediate'],
    ['setTimeout', ' nextTick', 'setTimeout'],
    ['setTimeout', 'setImmediate', ' setImmediate'],
    ['setTimeout', ' setImmediate', 'setImmediate', ' setImmediate'],
  ] as const
).map((outline) => outline.map((each) => ({ by: each.trim() as Way, depth: each.startsWith(' ') ? 1 : 0 })))

/** Returns the program, and the kind of each of its callbacks by name. Only main starts timers. */
function programOf(outline: Outline): { main: Callback; ways: Map<string, Way> } {
  const ways = new Map<string, Way>()
  /** What main starts, what the last callback that it started starts, and so on. */
  const lists: { by: Way; callback: Callback }[][] = [[]]
  for (const { by, depth } of outline) {
    lists.length = Math.min(depth + 1, lists.length)
    const way = by === 'setTimeout' && lists.length > 1 ? 'setImmediate' : by
    const name = 'abcdefghijklmnopqrstuvwxyz'[ways.size]
    ways.set(name, way)
    const starts: { by: Way; callback: Callback }[] = []
    lists.at(-1)?.push({ by: way, callback: { name, starts } })
    lists.push(starts)
  }
  return { main: { name: 'main', starts: lists[0] }, ways }
}

/** Runs a program in the callback of a file; resolves with the order of its callbacks. */
function observe(main: Callback, callbacks: number): Promise<string[]> {
  const order: string[] = []
  const { promise, resolve } = Promise.withResolvers<string[]>()
  function run({ name, starts }: Callback) {
    order.push(name)
    for (const { by, callback } of starts) ways[by](() => run(callback))
    if (order.length === callbacks) resolve(order)
  }
  stat(import.meta.filename, () => {
    run(main)
    if (!main.starts.some(({ by }) => by === 'setTimeout')) return
    // Busy until the timers are due: otherwise they might run in a later turn.
    for (const end = performance.now() + dueMs; performance.now() < end; );
  })
  return promise
}

/** What the program says, a line for each callback that starts something. */
function textOf({ name, starts }: Callback): Step[] {
  if (starts.length === 0) return []
  const calls = starts.map(({ by, callback }) => `${by}(${callback.name})`)
  return [
    { who: 'the program', what: `${name}: ${calls.join('; ')}` },
    ...starts.flatMap(({ callback }) => textOf(callback)),
  ]
}

/** The same program, which notes the line that reads a name. */
const watched = ({ name, starts }: Callback, lines: Map<string, number | undefined>): Callback => ({
  get name() {
    lines.set(name, callingLine())
    return name
  },
  starts: starts.map(({ by, callback }) => ({ by, callback: watched(callback, lines) })),
})

function reason(theirs: Way | undefined, nodes: Way | undefined): string | undefined {
  if (theirs === nodes) return 'Callbacks of one kind run in the order in which they were started.'
  if (nodes === 'nextTick') return 'After every single callback, Node first runs all ticks, and then all microtasks.'
  if (nodes === 'queueMicrotask') {
    if (theirs === 'nextTick') return 'Node empties the queue of microtasks before it looks at the ticks again.'
    return 'Ticks and microtasks run after every single callback, and not only at the end of a phase.'
  }
  if (theirs === 'nextTick' || theirs === 'queueMicrotask') return 'It runs before the callback that starts it has run.'
  if (nodes === 'setImmediate') return 'After the callback of a file come the immediates, and only then the timers.'
  return 'An immediate that is started by an immediate, or by what follows it, belongs to the next turn, after the timers.'
}

/** What is wrong with an order; undefined if it is Node's. */
function differences(
  theirs: readonly string[],
  nodes: readonly string[],
  ways: Map<string, Way>,
): Pick<Fault, 'says' | 'why'> | undefined {
  const at = [...nodes, undefined].findIndex((name, at) => name !== theirs[at])
  const [name, right] = [theirs[at], nodes[at]]
  if (name === undefined)
    return right === undefined ? undefined : { says: 'The order ends before all callbacks have run.' }
  if (theirs.indexOf(name) < at) return { says: 'The same callback runs twice in the order.' }
  if (right === undefined || !nodes.includes(name)) return { says: `There is no callback "${name}" in the program.` }
  if (right === 'main' || name === 'main') return { says: 'The order does not begin with main.' }
  const [way, nodesWay] = [ways.get(name), ways.get(right)]
  const why = reason(way, nodesWay)
  if (way === nodesWay) return { says: `Two ${way} callbacks run in the wrong order.`, ...(why && { why }) }
  return { says: `It runs a ${way} callback where Node runs a ${nodesWay} callback.`, ...(why && { why }) }
}

export default exercise<Solution>({
  check: async ({ orderOf }) =>
    await counterexample(
      outlines,
      async (outline) => {
        const { main, ways } = programOf(outline)
        const nodes = await observe(main, ways.size + 1)
        const lines = new Map<string, number | undefined>()
        const theirs = orderOf(structuredClone(main))
        const wrong = differences(theirs, nodes, ways)
        if (!wrong) return undefined
        orderOf(watched(main, lines))
        const decisive = theirs.find((name, at) => name !== nodes[at])
        return {
          ...wrong,
          expected: `${nodes.join(', ')} (Node)`,
          received: theirs.join(', ') || 'nothing',
          history: textOf(main).slice(0, longestHistory),
          line: decisive === undefined ? undefined : lines.get(decisive),
        }
      },
      { runs: 150, examples: rules },
    ),
})
