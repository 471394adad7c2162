/** A thread of an exercise. Its operations on `Atomics` wait for their turn; nothing else differs from the real ones. */
import { parentPort, workerData } from 'node:worker_threads'
import { messageOf } from '@repo/common/output/errors'
import { callingLine, lineOf, watchLines } from './line.ts'
import type { ThreadFunction } from './threads.ts'
import { changes, place, type Setup, state, turn, writeText } from './turns.ts'

const setup = workerData as Setup
const { at, name, turns, memory, labels, checker, solution, hasLines } = setup
const { load, store, add, wait, notify } = Atomics

/** Thrown where a word of the memory is used without Atomics. */
class Plain extends Error {}

/** Thrown inside of the reader's code when the run is over. */
class GiveUp extends Error {}

const set = (field: Parameters<typeof place>[1], value: number) => void store(turns, place(at, field), value)
const get = (field: Parameters<typeof place>[1]) => load(turns, place(at, field))

/** Says what this thread is doing, and waits until it is told to go on. */
function pause(doing: number) {
  set('turn', turn.none)
  set('state', doing)
  add(turns, changes, 1)
  notify(turns, changes)
  while (get('turn') === turn.none) wait(turns, place(at, 'turn'), turn.none)
  set('state', state.running)
  return get('turn')
}

function takeTurn(doing: number = state.parked) {
  set('line', (hasLines && callingLine()) || 0)
  if (pause(doing) === turn.giveUp) throw new GiveUp()
}

const did = (text: string) => writeText(setup, at, text)
const isWord = (key: string | symbol): key is string => typeof key === 'string' && /^\d+$/.test(key)
/**
 * What the reader's code gets: the shared memory, in which nothing happens but by `Atomics`. What a thread writes plainly,
 * no other one is sure to see; and here none could see that it was not its turn.
 */
const guarded = new Proxy(memory, {
  get(target, key) {
    if (isWord(key)) throw new Plain(`reads ${label(Number(key))} without Atomics.`)
    const value: unknown = Reflect.get(target, key, target)
    return typeof value === 'function' ? value.bind(target) : value
  },
  set(_, key) {
    throw new Plain(`writes ${isWord(key) ? label(Number(key)) : String(key)} without Atomics.`)
  },
})
/** The array that `Atomics` takes. */
const arrayOf = <Words>(array: Words): Words => (Object.is(array, guarded) ? (memory as Words) : array)
const isShared = (array: { buffer: ArrayBufferLike }) => array.buffer === memory.buffer
const addressOf = (array: { byteOffset: number }, index: number) => array.byteOffset / 4 + index
const label = (address: number) => labels[address] ?? `[${address}]`

watchLines(solution)
const { threads } = (await import(checker)) as { threads?: Record<string, ThreadFunction<unknown>> }
const run = threads?.[name]
if (!run) throw new Error(`${checker} has no thread "${name}"`)
const module: unknown = await import(solution)

for (const operation of ['load', 'store', 'add', 'sub', 'and', 'or', 'xor', 'exchange', 'compareExchange'] as const) {
  const original = Atomics[operation] as (array: Int32Array, index: number, ...values: number[]) => number
  Reflect.set(Atomics, operation, (passed: Int32Array, index: number, ...values: number[]) => {
    const array = arrayOf(passed)
    if (!isShared(array)) return original(array, index, ...values)
    takeTurn()
    const result = original(array, index, ...values)
    const given = values.length === 0 ? '' : ` ${values.join(' → ')}`
    did(`${operation} ${label(addressOf(array, index))}${given}${operation === 'store' ? '' : `: ${result}`}`)
    return result
  })
}
Reflect.set(
  Atomics,
  'wait',
  (passed: Int32Array, index: number, value: number, timeoutMs = Number.POSITIVE_INFINITY) => {
    const array = arrayOf(passed)
    if (!isShared(array)) return wait(array, index, value, timeoutMs)
    const address = addressOf(array, index)
    takeTurn()
    const found = load(array, index)
    if (found !== value) {
      did(`wait ${label(address)} while ${value}: it is ${found}`)
      return 'not-equal'
    }
    did(`wait ${label(address)} while ${value}: sleeps`)
    set('address', address)
    set('hasTimeout', Number.isFinite(timeoutMs) ? 1 : 0)
    set('woken', 0)
    takeTurn(state.waiting)
    const isWoken = get('woken') === 1
    did(isWoken ? 'wakes up' : `wakes up after ${timeoutMs} ms`)
    return isWoken ? 'ok' : 'timed-out'
  },
)
Reflect.set(Atomics, 'notify', (passed: Int32Array, index: number, count = Number.POSITIVE_INFINITY) => {
  const array = arrayOf(passed)
  if (!isShared(array)) return notify(array, index, count)
  const address = addressOf(array, index)
  set('isNotify', 1)
  set('address', address)
  set('count', Math.min(count, 1_000))
  takeTurn()
  set('isNotify', 0)
  did(`notify ${label(address)}: wakes ${get('woken')}`)
  return get('woken')
})
// They would not wait for their turn.
Reflect.set(Atomics, 'waitAsync', undefined)
Reflect.set(Atomics, 'pause', () => {})

function note(text: string) {
  takeTurn()
  did(text)
}

parentPort?.postMessage('ready')
for (let doing: number = state.ended; ; ) {
  pause(doing)
  doing = state.ended
  try {
    run(module, { memory: guarded, note })
  } catch (error) {
    if (error instanceof GiveUp) continue
    doing = state.failed
    set('line', lineOf(error) ?? 0)
    did(error instanceof Plain ? error.message : `throws: ${messageOf(error)}`)
  }
}
