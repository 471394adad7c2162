/** Plays the caller, the log and the target, and lets each of them fail. */
import { exercise, type Fault, type Step } from '@repo/exercises/exercise'
import { callingLine } from '@repo/exercises/line'
import { coroutine, type Sink } from '../../src/coroutines/coroutine.ts'

/** An open log. */
export interface Log {
  write(text: string): void
  close(): void
}

type Solution = typeof import('./exercise.ts')

/** What can fail, and what the verdict calls it. */
const failures = {
  open: 'opening the log fails',
  write: 'writing to the log fails',
  next: 'the target fails',
  close: 'closing the log fails',
  return: 'ending the target fails',
} as const
type Failure = keyof typeof failures

interface Scenario {
  /** How many values the coroutine gets. */
  values: number
  /** How the caller ends it, if it has not ended by itself. */
  end: 'return' | 'throw'
  fails?: Failure
}

const texts = ['a', 'b']

/** The shortest first. Without a value, nothing is written or handed on. */
const scenarios: Scenario[] = [0, 1, 2].flatMap((values) =>
  ([undefined, 'open', 'write', 'next', 'close', 'return'] as const)
    .filter((fails) => values > 0 || (fails !== 'write' && fails !== 'next'))
    .flatMap((fails) => (['return', 'throw'] as const).map((end) => ({ values, end, ...(fails && { fails }) }))),
)

/** What happened in a scenario. */
class Run {
  readonly history: Step[] = []
  readonly written: string[] = []
  readonly passedOn: string[] = []
  opened = 0
  closed = 0
  ended = 0
  /** The line that opened the log. */
  openedAt: number | undefined
  /** What the caller got thrown. */
  thrown: unknown
  readonly errors: Error[] = []
  isDone = false
  readonly #record: Solution['record']
  readonly #fails: Failure | undefined
  /** The value whose write, or whose next, fails. */
  readonly #last: string | undefined

  constructor(record: Solution['record'], { values, end, fails }: Scenario) {
    this.#record = record
    this.#fails = fails
    this.#last = texts[values - 1]
    try {
      this.#call(values, end)
    } catch (error) {
      this.thrown = error
    }
  }

  #call(values: number, end: 'return' | 'throw') {
    this.#says('record(…)')
    const recording = this.#record(() => this.#open(), this.#target())
    for (const text of texts.slice(0, values)) {
      this.#says(`next("${text}")`)
      if (recording.next(text).done) {
        this.isDone = true
        return
      }
    }
    this.#says(`${end}()`)
    if (end === 'return') {
      this.isDone = recording.return().done === true
      return
    }
    const error = new Error('the source has failed')
    this.errors.push(error)
    recording.throw(error)
  }

  #says(what: string) {
    this.history.push({ who: 'caller', to: 'record', what })
  }

  /** Notes an operation of the reader's code, and lets it fail if the scenario says so. */
  #does(to: 'log' | 'target', operation: Failure, what: string = operation) {
    const isLast = (operation !== 'write' && operation !== 'next') || what === `${operation} "${this.#last}"`
    const fails = this.#fails === operation && isLast
    this.history.push({ who: 'record', to, what: fails ? `${what} ✕` : what, line: callingLine() })
    if (!fails) return
    const error = new Error(failures[operation])
    this.errors.push(error)
    throw error
  }

  #open(): Log {
    this.#does('log', 'open')
    this.opened++
    this.openedAt = this.history.at(-1)?.line
    return {
      write: (text) => {
        this.#does('log', 'write', `write "${text}"`)
        this.written.push(text)
      },
      close: () => {
        this.closed++
        this.#does('log', 'close')
      },
    }
  }

  /** A coroutine that takes values and keeps nothing, except for what it was asked. */
  #target(): Sink<string> {
    const target = coroutine(function* (): Sink<string> {
      for (;;) yield
    })()
    const waits = { done: false as const, value: undefined }
    return Object.assign(target, {
      next: (text: string) => {
        this.#does('target', 'next', `next "${text}"`)
        this.passedOn.push(text)
        return waits
      },
      return: () => {
        this.ended++
        this.#does('target', 'return', 'return()')
        return { done: true as const, value: undefined }
      },
      throw: (error: unknown) => {
        this.ended++
        this.#does('target', 'return', 'throw()')
        throw error
      },
    })
  }
}

const onlyFinally = {
  return: 'return() ends a generator at its yield, as if a return statement stood there: only finally runs.',
  throw: 'throw() throws at the yield: finally runs if the block is left by that, and nothing goes on waiting.',
}
const ownBlock =
  'What follows a failure in the same block does not run: each thing that is held needs a finally of its own.'

function inspect(run: Run, { end, fails }: Scenario): Fault | undefined {
  const { history } = run
  const cause = fails ? failures[fails] : undefined
  if (run.opened > 0 && run.closed === 0) {
    const says = cause ? `The log stays open when ${cause}.` : `${end}() leaves the log open.`
    return { says, history, line: run.openedAt, why: cause ? ownBlock : onlyFinally[end] }
  }
  if (run.closed > 1) return { says: 'It closes the log twice.', history, why: 'Closing what is closed is an error.' }
  if (run.ended === 0) {
    const says = cause ? `The target is abandoned when ${cause}.` : `${end}() abandons the target.`
    return {
      says,
      history,
      why: cause ? ownBlock : 'The target waits at its yield for ever, with everything that it holds.',
    }
  }
  if (run.errors.length > 0 && run.thrown === undefined) {
    return {
      says: `The caller does not get the error when ${cause ?? 'it calls throw()'}.`,
      history,
      why: 'The caller believes that all is well.',
    }
  }
  if (run.errors.length > 0 && !run.errors.some((error) => error === run.thrown)) {
    const received = run.thrown instanceof Error ? run.thrown.message : String(run.thrown)
    return { says: 'Another error hides the real one.', expected: run.errors[0]?.message ?? '', received, history }
  }
  if (run.thrown !== undefined && run.errors.length === 0) throw run.thrown
  if (run.thrown === undefined && !run.isDone) return { says: `${end}() does not end it.`, history }
  return undefined
}

export default exercise<Solution>({
  check({ record }) {
    // First of all: does it do its work?
    const { written, passedOn, history, thrown, errors } = new Run(record, { values: 2, end: 'return' })
    if (thrown !== undefined && errors.length === 0) throw thrown
    const expected = texts.join(', ')
    if (written.join(', ') !== expected)
      return { says: 'A value does not reach the log.', expected, received: written.join(', ') || 'nothing', history }
    if (passedOn.join(', ') !== expected) {
      return {
        says: 'A value does not reach the target.',
        expected,
        received: passedOn.join(', ') || 'nothing',
        history,
      }
    }
    const early = history.findIndex(({ what }, at) => {
      return what.startsWith('next "') && history[at - 1]?.what !== what.replace('next', 'write')
    })
    if (early >= 0) {
      const why = 'If writing fails, the target must not have a value that is missing from the log.'
      return { says: 'The target gets a value before the log.', history: history.slice(0, early + 1), why }
    }
    for (const scenario of scenarios) {
      const fault = inspect(new Run(record, scenario), scenario)
      if (fault) return fault
    }
    return undefined
  },
})
