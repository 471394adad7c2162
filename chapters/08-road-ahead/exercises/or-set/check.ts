/** Random histories of three devices, and what each has observed. At the end all copies are merged in all orders. */
import { counterexample, withOneLess } from '@repo/exercises/counterexample'
import { exercise, type Fault, type Step } from '@repo/exercises/exercise'
import { declaredAt, subjectUrl } from '@repo/exercises/line'
import fc from 'fast-check'

type Solution = typeof import('./exercise.ts')

/** A copy of the set: plain data. */
export interface ObservedSet {
  /** The value of each addition, by its id. */
  readonly added: Readonly<Record<string, string>>
  /** The ids of the additions that were removed. */
  readonly removed: readonly string[]
}

const devices = ['a', 'b', 'c'] as const
type Device = (typeof devices)[number]
const things = ['milk', 'rice']

/** What happens next. */
interface Wanted {
  device: Device
  does: 'adds' | 'removes' | 'merges'
  value: string
  /** Which of the two other devices it meets. */
  other: number
}

const histories = fc.array(
  fc.record<Wanted>({
    device: fc.constantFrom(...devices),
    does: fc.constantFrom('adds', 'removes', 'merges'),
    value: fc.constantFrom(...things),
    other: fc.nat(1),
  }),
  { minLength: 1, maxLength: 9 },
)

/** First of all: here both programs make their first addition. */
const restarted: readonly Wanted[] = things.map((value) => ({ device: 'a', does: 'adds', value, other: 0 }))

/** An addition, or a removal with what its device had observed. */
type Change = { adds: string } | { removes: ReadonlySet<Change> }

/** A device: its copy, made by the reader's functions, and what it has truly heard of. */
interface Place {
  copy: ObservedSet
  heard: ReadonlySet<Change>
}

/** Returns what must be in a set in which these changes are known. */
function truth(heard: ReadonlySet<Change>): string[] {
  const removed = new Set([...heard].flatMap((change) => ('removes' in change ? [...change.removes] : [])))
  const left = [...heard].flatMap((change) => ('adds' in change && !removed.has(change) ? [change.adds] : []))
  return [...new Set(left)].sort()
}

const observed = (heard: ReadonlySet<Change>, value: string) =>
  new Set([...heard].filter((change) => 'adds' in change && change.adds === value))

const textOf = (values: readonly string[]) => `{${values.join(', ')}}`

/** As it comes from a network; and nobody may change it. */
function sent(copy: ObservedSet): ObservedSet {
  return JSON.parse(JSON.stringify(copy), (_, value) => Object.freeze(value))
}

/** @param programs take turns: devices share no memory, and a device forgets its own when it is switched off */
function judge(wanted: readonly Wanted[], programs: readonly [Solution, ...Solution[]]): Fault | undefined {
  const { merge, values } = programs[0]
  const empty: Place = { copy: sent({ added: {}, removed: [] }), heard: new Set() }
  const places = new Map<Device, Place>(devices.map((device) => [device, empty]))
  const placeOf = (device: Device) => places.get(device) ?? empty
  const history: Step[] = []
  const valuesOf = (copy: ObservedSet) => [...values(copy)].sort()

  for (const [at, { device, does, value, other }] of wanted.entries()) {
    const { add, remove, merge } = programs[at % programs.length] as Solution
    const { copy, heard } = placeOf(device)
    const from = devices.filter((each) => each !== device)[other] as Device
    const next: Place =
      does === 'adds'
        ? { copy: add(copy, device, value), heard: new Set([...heard, { adds: value }]) }
        : does === 'removes'
          ? { copy: remove(copy, value), heard: new Set([...heard, { removes: observed(heard, value) }]) }
          : { copy: merge(copy, placeOf(from).copy), heard: new Set([...heard, ...placeOf(from).heard]) }
    next.copy = sent(next.copy)
    places.set(device, next)
    const received = valuesOf(next.copy)
    const what = does === 'merges' ? `merges ${from}’s copy` : `${does} ${value}`
    history.push({ who: device, what: `${what}: ${textOf(received)}` })
    const expected = truth(next.heard)
    const says = saysOf(does, value, expected, received)
    if (says === undefined) continue
    const line = declaredAt({ adds: 'add', removes: 'remove', merges: 'merge' }[does])
    return { ...says, expected: textOf(expected), received: textOf(received), history, line }
  }

  const all = devices.map(placeOf)
  const expected = truth(new Set(all.flatMap(({ heard }) => [...heard])))
  for (const { text, copy } of mergedInAllOrders(all, merge)) {
    const received = valuesOf(copy)
    const says = saysOf('merges', '', expected, received)
    if (says)
      return {
        ...says,
        expected: textOf(expected),
        received: `${text}: ${textOf(received)}`,
        history,
        line: declaredAt('merge'),
      }
    const [once, twice] = [copy, sent(merge(copy, copy))].map((each) => JSON.stringify(each).length)
    if (twice > once) {
      const why = 'Devices merge again and again: what grows each time fills the memory.'
      const sizes = { expected: `${once} bytes as JSON`, received: `${twice} bytes` }
      return { says: 'A copy that is merged with itself grows.', ...sizes, history, line: declaredAt('merge'), why }
    }
  }
  return undefined
}

/** Returns what is wrong with a set, if anything is. */
function saysOf(
  did: Wanted['does'],
  value: string,
  expected: readonly string[],
  received: readonly string[],
): Pick<Fault, 'says' | 'why'> | undefined {
  const missing = expected.filter((each) => !received.includes(each))
  const wrong = received.filter((each) => !expected.includes(each))
  if (did === 'adds' && missing.includes(value)) return { says: 'A device does not have what it has just added.' }
  if (did === 'removes' && wrong.includes(value)) return { says: 'A device still has what it has just removed.' }
  if (missing.length > 0) {
    const why = 'A removal removes additions and not values: those whose ids its device has seen.'
    return { says: 'An addition is lost: nobody who removed the value had observed it.', why }
  }
  if (wrong.length > 0) {
    const why = 'An older copy still has the addition. Only a copy that knows that it was removed can leave it out.'
    return { says: 'A value comes back that was removed.', why }
  }
  if (received.length > expected.length) return { says: 'values names a value twice.' }
  return undefined
}

/** Merges three copies in all orders and groupings, and one of them twice. */
function* mergedInAllOrders([a, b, c]: readonly Place[], merge: Solution['merge']) {
  const copies = { a, b, c } as Record<Device, Place>
  const both = (one: ObservedSet, other: ObservedSet) => sent(merge(one, other))
  for (const one of devices) {
    for (const two of devices.filter((each) => each !== one)) {
      const three = devices.find((each) => each !== one && each !== two) as Device
      const [x, y, z] = [copies[one].copy, copies[two].copy, copies[three].copy]
      yield { text: `(${one} + ${two}) + ${three}`, copy: both(both(x, y), z) }
      yield { text: `${one} + (${two} + ${three})`, copy: both(x, both(y, z)) }
      yield { text: `((${one} + ${two}) + ${three}) + ${one}`, copy: both(both(both(x, y), z), x) }
    }
  }
}

export default exercise<Solution>({
  async check(solution) {
    const other: Solution = await import(`${subjectUrl()}?other`)
    const check = (wanted: readonly Wanted[]) => judge(wanted, [solution, other])
    return await counterexample(histories, check, { runs: 400, examples: [restarted], smaller: withOneLess })
  },
})
