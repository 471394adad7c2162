/** Copies that merge: the laws, what concurrent edits come to, and the example. */
import { readFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { runHere } from '@repo/common/testing/run-here'
import { runExample } from '@repo/common/testing/testing'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import crdt from '../../examples/crdt.ts'
import { add, type Counter, mergeCounters, total } from '../../src/crdt/counter.ts'
import type { Id } from '../../src/crdt/lattice.ts'
import { mergeRegisters, type Register, write } from '../../src/crdt/register.ts'
import { addTo, mergeSets, type ObservedSet, removeFrom, valuesOf } from '../../src/crdt/set.ts'
import {
  addCompact,
  type CompactSet,
  emptyCompactSet,
  mergeCompactSets,
  removeCompact,
} from '../../src/crdt/set-without-tombstones.ts'
import { type Character, insert, mergeTexts, read, remove, type Text } from '../../src/crdt/text.ts'

const chapter = fileURLToPath(new URL('../..', import.meta.url))
const names = ['a', 'b', 'c']

/** An edit, with numbers to make it from: of which replica, what, and where; and whom its replica hears of after it. */
interface Step {
  replica: number
  kind: number
  value: number
  hears: number
}
const steps = fc.array(fc.record({ replica: fc.nat(2), kind: fc.nat(2), value: fc.nat(9), hears: fc.nat(5) }), {
  maxLength: 30,
})

/** A kind of copy: how it begins, is edited and merged. `edit` returns a delta, or a whole state. */
interface Kind<State> {
  empty: State
  edit: (state: State, replica: string, step: Step) => State
  merge: (a: State, b: State) => State
  hasDeltas: boolean
}
const kinds = {
  counter: {
    empty: new Map(),
    edit: (state, replica, { value }) => add(state, replica, value - 4),
    merge: mergeCounters,
    hasDeltas: true,
  } satisfies Kind<Counter>,
  register: {
    empty: undefined,
    edit: (state, replica, { value }) => write(state, replica, value),
    merge: mergeRegisters<number>,
    hasDeltas: true,
  } satisfies Kind<Register<number>>,
  set: {
    empty: new Map(),
    edit: (state, replica, { kind, value }) =>
      kind ? addTo(state, replica, String(value)) : removeFrom(state, String(value)),
    merge: mergeSets,
    hasDeltas: true,
  } satisfies Kind<ObservedSet>,
  'set without tombstones': {
    empty: emptyCompactSet,
    edit: (state, replica, { kind, value }) =>
      kind ? addCompact(state, replica, String(value)) : removeCompact(state, String(value)),
    merge: mergeCompactSets,
    hasDeltas: false,
  } satisfies Kind<CompactSet>,
  text: {
    empty: new Map(),
    edit: (state, replica, { kind, value }) => {
      const at = Math.min(value, read(state).length)
      return kind ? insert(state, replica, at, 'xyz'.slice(0, kind)) : remove(state, at, at + 2)
    },
    merge: mergeTexts,
    hasDeltas: true,
  } satisfies Kind<Text>,
}

/** Plays edits on three replicas, which now and then hear of each other. Returns their states, and all deltas. */
function play<State>({ empty, edit, merge }: Kind<State>, script: Step[]): { states: State[]; deltas: State[] } {
  const states = names.map(() => empty)
  const deltas: State[] = []
  for (const step of script) {
    const { replica, hears } = step
    const delta = edit(states[replica] as State, names[replica] as string, step)
    deltas.push(delta)
    states[replica] = merge(states[replica] as State, delta)
    if (hears < 3) states[replica] = merge(states[replica] as State, states[hears] as State)
  }
  return { states, deltas }
}

function laws<State>(name: string, kind: Kind<State>) {
  const { merge, empty } = kind
  describe(`a ${name}`, () => {
    it('is merged in any order and grouping, and any number of times', () => {
      fc.assert(
        fc.property(steps, (script) => {
          const [a, b, c] = play(kind, script).states as [State, State, State]
          expect(merge(a, b)).toEqual(merge(b, a))
          expect(merge(merge(a, b), c)).toEqual(merge(a, merge(b, c)))
          expect(merge(a, a)).toEqual(a)
          expect(merge(a, empty)).toEqual(a)
          expect(merge(merge(a, b), b)).toEqual(merge(a, b))
        }),
      )
    })

    it('is the same wherever the same edits have arrived, in any order and more than once', () => {
      const shuffles = fc.infiniteStream(fc.double({ min: 0, max: 1, noNaN: true, maxExcluded: true }))
      fc.assert(
        fc.property(steps, shuffles, (script, numbers) => {
          const { states, deltas } = play(kind, script)
          const next = () => Number(numbers.next().value)
          const twice = [...deltas, ...deltas.filter(() => next() < 0.5)]
          const arrivals = twice.map((delta) => ({ delta, at: next() })).sort((a, b) => a.at - b.at)
          const arrived = arrivals.reduce((state, { delta }) => merge(state, delta), empty)
          expect(arrived).toEqual(states.reduce(merge, empty))
        }),
      )
    })
  })
}
laws('counter', kinds.counter)
laws('register', kinds.register)
laws('set', kinds.set)
laws('set without tombstones', kinds['set without tombstones'])
laws('text', kinds.text)

describe('edits that do not meet', () => {
  it('count as on plain values', () => {
    fc.assert(
      fc.property(steps, (script) => {
        const one = script.map((step) => ({ ...step, replica: 0, hears: 5 }))
        const value = (kind: Kind<Counter>) => total(play(kind, one).states[0] as Counter)
        expect(value(kinds.counter)).toBe(one.reduce((sum, { value }) => sum + value - 4, 0))

        const plain = new Set<string>()
        for (const { kind, value } of one) kind ? plain.add(String(value)) : plain.delete(String(value))
        expect(valuesOf(play(kinds.set, one).states[0] as ObservedSet)).toEqual(plain)
        const [compact] = play(kinds['set without tombstones'], one).states
        expect(new Set(compact?.values.values())).toEqual(plain)

        let text = ''
        for (const { kind, value } of one) {
          const at = Math.min(value, text.length)
          text = text.slice(0, at) + 'xyz'.slice(0, kind) + text.slice(kind ? at : at + 2)
        }
        expect(read(play(kinds.text, one).states[0] as Text)).toBe(text)
      }),
    )
  })
})

describe('edits at the same time', () => {
  it('keep an addition that a removal has not seen; both sets agree on what is in them', () => {
    fc.assert(
      fc.property(steps, (script) => {
        const values = valuesOf(play(kinds.set, script).states.reduce(mergeSets))
        const compact = play(kinds['set without tombstones'], script).states.reduce(mergeCompactSets)
        expect(new Set(compact.values.values())).toEqual(values)
      }),
    )
    const milk = addTo(new Map(), 'a', 'milk')
    const merged = [removeFrom(milk, 'milk'), addTo(milk, 'b', 'milk')].reduce(mergeSets, milk)
    expect([...valuesOf(merged)]).toEqual(['milk'])
  })

  it('keep what each person typed together', () => {
    const hello = insert(new Map(), 'a', 0, 'Hello!')
    const both = [insert(hello, 'a', 5, ' world'), insert(hello, 'b', 5, ' there')].reduce(mergeTexts, hello)
    expect(read(both)).toBe('Hello there world!')
  })

  it('may have more characters behind one than a call can have arguments', () => {
    const character: Character = { after: '1@a', text: 'x' }
    const texts = new Map<Id, Character>([['1@a', { after: undefined, text: 'a' }]])
    for (let time = 2; time <= 130_000; time++) texts.set(`${time}@b`, character)
    expect(read(texts)).toHaveLength(130_000)
  })

  it('leave out a character until the one before it has arrived', () => {
    const typed = insert(new Map(), 'a', 0, 'abc')
    const [first, second, third] = [...typed].map((entry): Text => new Map([entry])) as [Text, Text, Text]
    expect(read(mergeTexts(third, first))).toBe('a')
    expect(read([third, first, second].reduce(mergeTexts))).toBe('abc')
  })
})

describe('crdt', () => {
  it('merges to one result, has the text that Yjs has, and draws', async () => {
    const run = await runExample(chapter, 'crdt', ['--quick', '--json', '--seed', '3'])
    expect(run, run.stderr).toMatchObject({ code: 0 })
    const result = run.json<{ sizes: Record<string, number>[]; pictures: string[] }>()
    expect(result).toMatchObject({
      orders: 6,
      merged: ['Call me just always Ahab.'],
      same: true,
      meanwhile: [{ result: '12' }, { result: 'blue' }, { result: '{milk}' }],
    })
    // Tombstones: the text is gone, and hardly a byte of its state.
    const [before, emptied] = result.sizes.slice(-2)
    expect(emptied).toMatchObject({ content: 0, values: 2 })
    expect(emptied?.text).toBeGreaterThan(0.9 * (before?.text ?? 0))
    expect(emptied?.compact).toBeLessThan(before?.compact ?? 0)
    expect(result.pictures.length).toBeGreaterThan(0)
    for (const picture of result.pictures) expect(await readFile(picture, 'utf8')).toContain('<svg')
  })

  it('prints its help', async () => {
    expect((await runHere(crdt, '--help')).stdout).toMatch(/--removals/)
  })

  it.each([{ edits: '3' }, { removals: '91' }, { seed: 'x' }])('refuses %j', async (options) => {
    const [[name, value] = []] = Object.entries(options)
    await expect(crdt.run(options as object)).rejects.toThrow(`--${name}: received "${value}"; accepts `)
  })
})
