/** Two producers and a consumer use a ring of two slots under every schedule, and then one of a single slot. */
import { exercise, type Fault, longestHistory, type Step } from '@repo/exercises/exercise'
import { declaredAt } from '@repo/exercises/line'
import { type Ended, type ThreadFunction, underEveryInterleaving } from '@repo/exercises/threads'

type Solution = typeof import('./exercise.ts')

const items = [11, 12, 21]

const putting =
  (...own: number[]): ThreadFunction<Solution> =>
  ({ put }, { memory }) => {
    for (const item of own) put(memory, item)
  }

export const threads: Record<string, ThreadFunction<Solution>> = {
  a: putting(11, 12),
  b: putting(21),
  c({ take }, { memory, note }) {
    for (let count = 0; count < items.length; count++) note(`takes ${take(memory)}`)
  },
}

export default exercise<Solution>({
  async check(_, { signal }) {
    // With one slot two producers wait at once, which takes fewer steps than to fill two.
    for (const { slots, mostRuns } of [
      { slots: 2, mostRuns: 250 },
      { slots: 1, mostRuns: 100 },
    ]) {
      const fault = await underEveryInterleaving({
        checker: import.meta.url,
        names: ['a', 'b', 'c'],
        words: 2 + slots,
        labels: ['tail', 'head', 'slot 0', 'slot 1'],
        mostDeviations: 2,
        mostRuns,
        signal,
        check: (ended) => wrongItem(ended) ?? asleep(ended),
      })
      if (fault) return fault
    }
    return undefined
  },
})

/** An item that the consumer should not have got, or not yet. */
function wrongItem({ history }: Ended): Fault | undefined {
  const taken: string[] = []
  for (const [at, { what }] of history.entries()) {
    const [, item] = /^takes (.+)$/.exec(what) ?? []
    if (item === undefined) continue
    const steps = history.slice(Math.max(0, at + 1 - longestHistory), at + 1)
    if (at === 0) {
      return { says: 'take returns without having touched the memory.', history: steps, line: declaredAt('take') }
    }
    if (!items.map(String).includes(item)) {
      const why = 'A claimed place may still be empty: the consumer has to go by what is set after the item is written.'
      const line = steps.findLast((step) => step.what.includes(' slot '))?.line
      return { says: `take returns ${item}, which nobody has put.`, history: steps, line, why }
    }
    if (taken.includes(item)) return { says: `${item} is taken twice.`, history: steps }
    if (item === '12' && !taken.includes('11')) {
      return (
        overwriting(history.slice(0, at)) ?? {
          says: '12 overtakes 11, which the same producer has put before it.',
          history: steps,
        }
      )
    }
    taken.push(item)
  }
  return undefined
}

/** A thread that sleeps for ever. */
function asleep({ stuck, history, memory }: Ended): Fault | undefined {
  const [sleeper] = stuck
  if (sleeper === undefined) return undefined
  const producer = stuck.find((name) => name !== 'c')
  const contents = memory.slice(2)
  if (producer !== undefined && contents.includes(0)) {
    const why =
      'A place became free between its last look and its sleep: it has to sleep on what it saw when the ring was full.'
    return {
      says: `${producer} sleeps for ever, although there is room in the ring.`,
      history: storyOf(producer, history),
      why,
    }
  }
  const overwritten = overwriting(history)
  if (overwritten) return overwritten
  if (stuck.includes('c') && contents.some((item) => item !== 0)) {
    return { says: 'c sleeps for ever, although there is an item in the ring.', history: storyOf('c', history) }
  }
  return { says: `${sleeper} sleeps for ever.`, history: storyOf(sleeper, history) }
}

/** Whether a step moves the tail. */
const isClaim = ({ what }: Step) =>
  /^(store|add|exchange) tail/.test(what) || /^compareExchange tail (\d+) → \d+: \1$/.test(what)

/** The moment in which an item is written over another. */
function overwriting(history: readonly Step[]): Fault | undefined {
  const contents = new Map<string, string>()
  /** When each slot was filled. */
  const filled = new Map<string, number>()
  for (const [at, { what }] of history.entries()) {
    const [, slot, item = '0'] = /^(?:store|exchange|compareExchange) (slot \d) (?:\d+ → )?(\d+)/.exec(what) ?? []
    if (slot === undefined) continue
    const before = contents.get(slot) ?? '0'
    if (before !== '0' && item !== '0') {
      const steps = history.slice(Math.max(0, at + 1 - longestHistory), at + 1)
      const isFreed = history
        .slice(filled.get(slot), at)
        .some(({ who, what }) => who === 'c' && / head/.test(what) && !/^load/.test(what))
      if (isFreed) {
        const why = 'The head tells producers that there is room: it may only move when the slot is empty.'
        return { says: 'An item is written into a slot that is not empty yet.', history: steps, why }
      }
      const claims = history.slice(0, at).filter(isClaim).length
      const items = history.slice(0, at + 1).filter(({ what }) => /^(store|exchange) slot \d [1-9]/.test(what)).length
      const why =
        claims < items
          ? 'Both producers claimed the same place: to read the tail and to move it has to be one operation.'
          : 'The ring is still full: a producer that was woken has to look again whether its place is free.'
      return { says: 'An item is lost: another one is written over it.', history: steps, why }
    }
    contents.set(slot, item)
    if (item !== '0') filled.set(slot, at)
  }
  return undefined
}

/** The last steps of a thread that sleeps, and what the others did meanwhile to the word that it sleeps on. */
function storyOf(sleeper: string, history: readonly Step[]): Step[] {
  const own = history.filter(({ who }) => who === sleeper).slice(-4)
  const [, word = ''] = /^wait (.+) while/.exec(own.at(-1)?.what ?? '') ?? []
  const from = own[0] ? history.indexOf(own[0]) : 0
  const touches = ({ what }: Step) => what.includes(` ${word}`) && !what.startsWith('load')
  const story = history.slice(from).filter((step) => own.includes(step) || (step.who !== sleeper && touches(step)))
  return story.slice(-longestHistory)
}
