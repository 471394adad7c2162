/** Calls the reader's functions as each of the threads would, and looks which addresses change. */
import { counterexample } from '@repo/exercises/counterexample'
import { exercise, type Fault, type Step } from '@repo/exercises/exercise'
import { callingLine, declaredAt, lineIn } from '@repo/exercises/line'
import fc from 'fast-check'

/** The counters of all threads. */
export type Counters = Int32Array<SharedArrayBuffer>

/** What is known when the memory is laid out. */
export interface Shape {
  threads: number
  /** How many counters each thread has. */
  perThread: number
  /** The size of a cache line: 32, 64, 128 or 256. */
  lineBytes: number
}

interface Input extends Shape {
  /** Where in a cache line the array begins, in elements. */
  begin: number
}

type Solution = typeof import('./exercise.ts')
type Touch = { thread: number; counter: number; byte: number; line: number | undefined }

const elementBytes = Int32Array.BYTES_PER_ELEMENT

const inputs = fc
  .record({
    threads: fc.integer({ min: 1, max: 5 }),
    perThread: fc.integer({ min: 1, max: 20 }),
    lineBytes: fc.constantFrom(64, 32, 128, 256),
    begin: fc.nat(63),
  })
  .map((input): Input => {
    const perLine = input.lineBytes / elementBytes
    // From the end of a line, so that a small number gives a place where few counters are enough to reach the next line.
    return { ...input, begin: (perLine - (input.begin % perLine)) % perLine }
  })

const operations = ['add', 'sub', 'and', 'or', 'xor', 'store', 'exchange', 'compareExchange'] as const

/** Calls a function, and returns the line that made its last operation on `Atomics`. This takes long. */
function lineOf(call: () => void): number | undefined {
  const originals = operations.map((name) => [name, Atomics[name]] as const)
  let line: number | undefined
  for (const [name, original] of originals) {
    Reflect.set(Atomics, name, (...values: unknown[]) => {
      line = callingLine()
      return Reflect.apply(original, Atomics, values)
    })
  }
  try {
    call()
  } finally {
    for (const [name, original] of originals) Reflect.set(Atomics, name, original)
  }
  return line
}

/** Every counter of every thread counts once. `lines` is whether to note the lines that add. */
function check({ lengthFor, add, total }: Solution, input: Input, lines: boolean): Fault | undefined {
  const { begin, ...shape } = input
  const { threads, perThread, lineBytes } = shape
  const each = `${perThread} ${perThread === 1 ? 'counter' : 'counters'}`
  const where = `array at byte ${begin * elementBytes} of a line`
  const layout = `${threads} ${threads === 1 ? 'thread' : 'threads'}, ${each} each, lines of ${lineBytes} bytes, ${where}`
  const length = lengthFor({ ...shape })
  if (!Number.isInteger(length) || length < 0) {
    const says = 'lengthFor does not return a length.'
    return {
      says,
      expected: 'a whole number of elements',
      received: `${length} (${layout})`,
      line: declaredAt('lengthFor'),
    }
  }
  const bytes = length * elementBytes
  const most = threads * (perThread * elementBytes + 2 * lineBytes)
  if (bytes > most) {
    return {
      says: 'A thread takes more than two lines besides its counters.',
      expected: `at most ${most} bytes`,
      received: `${bytes} bytes (${layout})`,
      line: declaredAt('lengthFor'),
      why: 'A thread needs its counters, and as much room as keeps those of the next thread on another line.',
    }
  }
  const counters = new Int32Array(new SharedArrayBuffer(bytes + begin * elementBytes), begin * elementBytes, length)
  const touches: Touch[] = []
  for (let thread = 0; thread < threads; thread++) {
    for (let counter = 0; counter < perThread; counter++) {
      const before = counters.slice()
      const addOne = () => add(counters, { ...shape }, thread, counter)
      let line: number | undefined
      try {
        if (lines) line = lineOf(addOne)
        else addOne()
      } catch (error) {
        if (!(error instanceof RangeError)) throw error
        const history = [
          { who: `thread ${thread}`, what: `adds to counter ${counter} ✕ ${error.message}`, line: lineIn(error.stack) },
        ]
        return {
          says: 'A counter lies beyond the end of the array.',
          expected: 'room for every counter',
          received: `a length of ${length} (${layout})`,
          history,
        }
      }
      const changed = [...counters.keys()].filter((at) => counters[at] !== before[at])
      const [at] = changed
      const history = [{ who: `thread ${thread}`, what: `adds to counter ${counter}`, line }]
      if (at === undefined) return { says: 'add changes nothing in the array.', received: layout, history }
      if (changed.length > 1) return { says: 'add changes more than one element.', received: layout, history }
      const touch = { thread, counter, byte: (begin + at) * elementBytes, line }
      const same = touches.find(({ byte }) => byte === touch.byte)
      if (same) {
        const says =
          same.thread === thread
            ? 'Two counters of one thread are the same element.'
            : 'Two threads add to the same element.'
        return { says, expected: 'an element for each counter', received: layout, history: [same, touch].map(stepOf) }
      }
      touches.push(touch)
    }
  }
  for (let counter = 0; counter < perThread; counter++) {
    const sum = total(counters, { ...shape }, counter)
    if (sum !== threads) {
      return {
        says: 'total returns a wrong sum.',
        expected: `${threads}: each thread has added 1 to counter ${counter}`,
        received: `${sum} (${layout})`,
      }
    }
  }
  const cacheLine = ({ byte }: Touch) => Math.floor(byte / lineBytes)
  for (const touch of touches) {
    const other = touches.find((each) => each.thread < touch.thread && cacheLine(each) === cacheLine(touch))
    if (!other) continue
    const steps = [other, touch].map((each) => ({
      ...stepOf(each),
      what: `${stepOf(each).what}: cache line ${cacheLine(each)}`,
    }))
    const inTheMiddle = begin > 0 && check({ lengthFor, add, total }, { ...input, begin: 0 }, false) === undefined
    return {
      says: `Two threads add on one cache line${inTheMiddle ? ' where the array begins in the middle of a line' : ''}.`,
      expected: 'no line with counters of two threads',
      received: layout,
      history: steps,
      line: declaredAt('indexOf') ?? touch.line,
      why: 'The core that writes takes the whole line from the other, which must fetch it again for its own counter.',
    }
  }
  return undefined
}

const stepOf = ({ thread, counter, byte, line }: Touch): Step => ({
  who: `thread ${thread}`,
  what: `counter ${counter} at bytes ${byte}–${byte + elementBytes - 1}`,
  line,
})

export default exercise<Solution>({
  check: async (solution) =>
    await counterexample(inputs, (input) => check(solution, input, false) && check(solution, input, true)),
})
