/** A worker that takes two items and may be killed, and two others that recover what it had. */
import { type Ended, type Stage, underEverySchedule } from '@repo/exercises/actors'
import { exercise, type Fault, longestHistory } from '@repo/exercises/exercise'
import { upTo } from '@repo/exercises/history'
import { declaredAt } from '@repo/exercises/line'

type Solution = typeof import('./exercise.ts')

/** Lists on a server. Each call is one step there. */
export interface Lists {
  /** Adds an item at the end. */
  push(list: string, item: string): Promise<void>
  /** Takes the first item out; undefined if there is none. */
  pop(list: string): Promise<string | undefined>
  /** Takes the first item out of one list and adds it to another, in one step. Returns it; undefined if there is none. */
  move(from: string, to: string): Promise<string | undefined>
  /** Takes one item out. Returns whether it was there. */
  remove(list: string, item: string): Promise<boolean>
  /** Returns all items. */
  items(list: string): Promise<string[]>
  /** Takes all items out. */
  clear(list: string): Promise<void>
}

const waiting = 'waiting'

function newServer(stage: Stage) {
  const all = new Map([[waiting, ['1', '2']]])
  const handled = new Set<string>()
  /** The item that the worker acknowledges at the moment, and one that went instead of it. */
  let acknowledged: string | undefined
  let wrong: string | undefined
  const list = (name: string) => {
    const items = all.get(name) ?? []
    all.set(name, items)
    return items
  }
  const named = (item: string | undefined) => item ?? 'nothing'
  function goes(item: string | undefined) {
    if (acknowledged !== undefined && item !== undefined && item !== acknowledged && !handled.has(item)) wrong ??= item
  }
  const lists: Lists = {
    push: (name, item) =>
      stage.step(`pushes ${item} to ${name}`, () => {
        list(name).push(item)
      }),
    pop: (name) =>
      stage.step(
        (item: string | undefined) => `pops ${named(item)} from ${name}`,
        () => {
          const item = list(name).shift()
          goes(item)
          return item
        },
      ),
    move: (from, to) =>
      stage.step(
        (item: string | undefined) => `moves ${named(item)} to ${to}`,
        () => {
          const item = list(from).shift()
          if (item !== undefined) list(to).push(item)
          return item
        },
      ),
    remove: (name, item) =>
      stage.step(
        (found: boolean) => `removes ${found ? item : 'nothing'} from ${name}`,
        () => {
          const at = list(name).indexOf(item)
          if (at >= 0) goes(list(name).splice(at, 1)[0])
          return at >= 0
        },
      ),
    items: (name) =>
      stage.step(
        (items: string[]) => `reads ${items.join(', ') || 'nothing'}`,
        () => [...list(name)],
      ),
    clear: (name) =>
      stage.step(`clears ${name}`, () => {
        for (const item of list(name).splice(0)) goes(item)
      }),
  }
  return {
    lists,
    handled,
    all,
    wrong: () => wrong,
    acknowledging(item: string | undefined) {
      acknowledged = item
    },
  }
}

type Server = ReturnType<typeof newServer>

export default exercise<Solution>({
  check: async ({ take, acknowledge, recover }, { signal }) =>
    await underEverySchedule(
      (stage) => {
        const server = newServer(stage)
        const { lists, handled, acknowledging } = server
        const dead = Promise.withResolvers<void>()
        async function handle(item: string) {
          await stage.step(`handles ${item}`, () => {
            handled.add(item)
          })
          acknowledging(item)
          await acknowledge(lists, 'a', item)
          acknowledging(undefined)
        }
        async function worker() {
          const [first, second] = [await take(lists, 'a'), await take(lists, 'a')]
          // The one that was taken last is done first.
          if (second !== undefined) await handle(second)
          if (first !== undefined && first !== second) await handle(first)
          return [first, second]
        }
        async function other() {
          await dead.promise
          acknowledging(undefined)
          await recover(lists, 'a')
          return 'recovered'
        }
        return {
          actors: { a: worker, b: other, c: other },
          mortal: ['a', 'b'],
          mostKilled: 2,
          successor(killed) {
            if (killed === 'a') dead.resolve()
            return undefined
          },
          check: (ended) => faultOf(ended, server),
        }
      },
      { mostDeviations: 2, mostRuns: 1_200, signal },
    ),
})

function faultOf({ returned, killed, history }: Ended, { all, handled, wrong }: Server): Fault | undefined {
  const taken = returned.get('a') as (string | undefined)[] | undefined
  if (taken?.[0] !== undefined && taken[0] === taken[1]) return { says: 'take returns the same item twice.' }
  if (taken?.includes(undefined))
    return { says: 'Two items wait, and take does not return them.', line: declaredAt('take') }
  const where = (item: string) =>
    [...all].flatMap(([name, items]) => items.filter((each) => each === item).map(() => name))
  const gone = wrong()
  if (gone !== undefined) {
    const shown = upTo(
      history,
      ({ who, what }) => who === 'a' && new RegExp(`^(pops|removes) ${gone} |^clears`).test(what),
    )
    const why = 'A worker may have taken several items, and need not handle them in their order.'
    return { says: 'Acknowledging an item removes another one, which nobody has handled.', history: shown, why }
  }
  for (const item of ['1', '2']) {
    const lists = where(item)
    if (lists.length > 1) {
      const why = 'Between reading the item and removing it, the other worker read it as well, or the first one died.'
      const shown = upTo(history, ({ what }) => /^(pushes|moves) \d/.test(what))
      return {
        says: `One item is in ${lists.length} places after it was recovered.`,
        received: lists.join(' and '),
        history: shown.slice(-longestHistory),
        why,
      }
    }
    if (lists.length === 0 && !handled.has(item)) {
      const why =
        'Between taking it out of one list and adding it to another, the item was only in the memory of a worker.'
      const shown = upTo(history, ({ what }) => what === 'is killed')
      return { says: 'An item is lost: nobody has handled it, and it is in no list.', history: shown, why }
    }
    if (killed.includes('a') && lists.length > 0 && lists[0] !== waiting) {
      return { says: 'An item stays in the list of a worker that is dead.', received: `${item} is in ${lists[0]}` }
    }
    if (!killed.includes('a') && lists.length > 0) {
      return {
        says: 'An item was acknowledged, and is still in a list.',
        received: `${item} is in ${lists[0]}`,
        line: declaredAt('acknowledge'),
      }
    }
  }
  return undefined
}
