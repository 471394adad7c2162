/** Calls that fail some times, with random numbers and waits that the checker decides. */
import { setImmediate } from 'node:timers/promises'
import { counterexample } from '@repo/exercises/counterexample'
import { exercise, type Fault, longestHistory, type Step } from '@repo/exercises/exercise'
import { merged } from '@repo/exercises/history'
import { callingLine } from '@repo/exercises/line'
import fc from 'fast-check'

type Solution = typeof import('./exercise.ts')

export interface RetryOptions {
  /** The number of tries in all, from 1. */
  tries: number
  /** The longest wait after the first try. It doubles with each further one. */
  baseMs: number
  /** No wait is longer. */
  capMs: number
  /** Returns whether an error may be gone at the next try. */
  mayPass: (error: unknown) => boolean
  /** Returns a number from 0 to below 1. */
  random: () => number
  sleep: (ms: number) => Promise<void>
}

interface Input {
  tries: number
  baseMs: number
  capMs: number
  /** How many tries fail. */
  failures: number
  /** The try that fails with an error that will not pass; 0 for none. */
  fatal: number
  /** The random numbers in percent, again and again. */
  draws: number[]
}

const inputs: fc.Arbitrary<Input> = fc.record({
  tries: fc.integer({ min: 1, max: 40 }),
  baseMs: fc.integer({ min: 1, max: 1_000 }),
  capMs: fc.integer({ min: 1, max: 100_000 }),
  failures: fc.integer({ min: 0, max: 45 }),
  fatal: fc.oneof(fc.constant(0), fc.integer({ min: 1, max: 5 })),
  draws: fc.array(fc.integer({ min: 0, max: 99 }), { minLength: 1, maxLength: 5 }),
})

// Easier to follow than what shrinking finds.
const usual = { tries: 5, baseMs: 100, capMs: 200, draws: [50] }
const examples: Input[] = [
  { ...usual, tries: 2, failures: 1, fatal: 0 },
  { ...usual, tries: 2, failures: 2, fatal: 0 },
  { ...usual, failures: 5, fatal: 2 },
  { ...usual, failures: 5, fatal: 0 },
  { ...usual, tries: 40, failures: 40, fatal: 0 },
]

class Failure extends Error {
  override name = 'Failure'
  readonly passes: boolean

  constructor(attempt: number, passes: boolean) {
    super(`try ${attempt} was turned away`)
    this.passes = passes
  }
}

async function checkRetry({ retry }: Solution, input: Input): Promise<Fault | undefined> {
  const { tries, baseMs, capMs, failures, fatal, draws } = input
  const history: Step[] = []
  let fault: Fault | undefined
  let attempt = 0
  let last: Failure | undefined
  let drawn: number[] = []
  let draw = 0
  let waited = true

  /** The first thing that broke is the one that counts. */
  function breaks(broken: Fault) {
    fault ??= { line: callingLine(), ...broken, history: merged(history).slice(-longestHistory) }
  }

  async function run(): Promise<string> {
    const before = last
    attempt++
    const fails = attempt <= failures || attempt === fatal
    last = fails ? new Failure(attempt, attempt !== fatal) : undefined
    history.push({
      who: 'task',
      what: `try ${attempt} ${fails ? `fails${attempt === fatal ? ', and will not pass' : ''}` : 'succeeds'}`,
      line: callingLine(),
    })
    if (before && !before.passes)
      breaks({
        says: 'It goes on after an error that will not pass.',
        why: 'What is refused once is refused again: the task only fails later.',
      })
    else if (attempt > tries)
      breaks({ says: 'It tries more often than it may.', expected: `at most ${tries}`, received: `try ${attempt}` })
    else if (!waited) {
      const sleep = history.at(-2)
      if (!sleep?.what.startsWith('sleeps')) breaks({ says: 'It tries again without having slept.' })
      else breaks({ says: 'It tries again before its sleep has ended: an await is missing.', line: sleep.line })
    }
    waited = false
    drawn = []
    // What goes on after a fault must end.
    if (!last || fault) return 'served'
    throw last
  }

  async function sleep(ms: number): Promise<void> {
    history.push({ who: 'task', what: `sleeps ${ms} ms`, line: callingLine() })
    const part = drawn.at(-1)
    const longest = Math.min(capMs, baseMs * 2 ** (attempt - 1))
    if (!last) return breaks({ says: 'It sleeps although no try has failed.' })
    if (!last.passes)
      return breaks({
        says: 'It goes on after an error that will not pass.',
        why: 'What is refused once is refused again: the task only fails later.',
      })
    if (attempt >= tries)
      return breaks({
        says: 'It sleeps after the last try: nobody needs that wait.',
        why: 'No try follows: its error only arrives later.',
      })
    if (part === undefined) {
      const why = 'Tasks that fail together wait equally long, and come back together.'
      return breaks({ says: 'It sleeps without a random part.', why })
    }
    if (Math.abs(ms - part * longest) <= 1) {
      // Only for somebody who awaits it.
      await setImmediate()
      waited = true
      return
    }
    const expected = `${part} · min(${capMs}, ${baseMs} · 2^${attempt - 1}) = ${part * longest} ms`
    const received = `${ms} ms`
    if (ms === capMs) {
      const why = 'A cap that cuts off the random wait makes most waits equal: the tasks come back together.'
      return breaks({ says: 'The wait is the cap itself, and no part of it is random.', expected, received, why })
    }
    return breaks({ says: 'It sleeps for another time than a random part of the longest wait.', expected, received })
  }

  function random() {
    const number = (draws[draw++ % draws.length] ?? 0) / 100
    drawn.push(number)
    return number
  }

  const mayPass = (error: unknown) => error instanceof Failure && error.passes
  let returned: string | undefined
  let threw: unknown
  try {
    returned = await retry(run, { tries, baseMs, capMs, mayPass, random, sleep })
  } catch (error) {
    threw = error
  }
  if (fault) return fault
  const shown = merged(history).slice(-longestHistory)
  if (attempt === 0) return { says: 'It never calls the function.' }
  if (last === undefined) {
    if (returned === 'served') return undefined
    return {
      says: 'The last try succeeds, and its result is lost.',
      expected: 'served',
      received: String(threw ?? returned),
      history: shown,
    }
  }
  if (last.passes && attempt < tries)
    return {
      says: 'It gives up although it may try again.',
      history: shown,
      why: 'The service may serve it the next time.',
    }
  if (threw === undefined)
    return {
      says: 'Every try has failed, and it throws nothing.',
      expected: String(last),
      received: String(returned),
      history: shown,
    }
  if (threw !== last)
    return {
      says: 'It throws another error than that of the last try.',
      expected: String(last),
      received: String(threw),
      history: shown,
    }
  return undefined
}

export default exercise<Solution>({
  check: async (solution) => await counterexample(inputs, (input) => checkRetry(solution, input), { examples }),
})
