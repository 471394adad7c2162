/** Runs a group of tasks under every schedule. */
import { type Stage, underEverySchedule } from '@repo/exercises/actors'
import { exercise, type Fault, type Step } from '@repo/exercises/exercise'

/** Something to do; the signal says that its result is not wanted any more. */
export type Task<Result> = (signal: AbortSignal) => Promise<Result>

type Solution = typeof import('./exercise.ts')

/** What a task does. */
const bodies = {
  /** Waits for something; ends when it is cancelled. */
  async waits({ stage, who, signal }) {
    await stage.sleep(100, { signal, who })
  },
  /** Has to do something more when it is cancelled. */
  async cleansUp({ stage, who, signal }) {
    try {
      await stage.sleep(100, { signal, who })
    } finally {
      await stage.step('cleans up', () => {}, { who })
    }
  },
  /** Does not look at the signal. */
  async ignores({ stage, who }) {
    await stage.step('works', () => {}, { who })
    await stage.step('works on', () => {}, { who })
  },
  async fails({ stage, who }) {
    await stage.step('works', () => {}, { who })
    throw new Error(`${who} has failed`)
  },
  /** Fails before it returns a promise. */
  failsAtOnce({ who }) {
    throw new Error(`${who} has failed`)
  },
} satisfies Record<string, (options: { stage: Stage; who: string; signal: AbortSignal }) => Promise<void>>
type Body = keyof typeof bodies

/** The tasks a, b and c of each play, those with the fewest first. */
const plays: readonly Body[][] = [
  [],
  ['waits'],
  ['fails'],
  ['waits', 'waits'],
  ['waits', 'ignores'],
  ['waits', 'fails'],
  ['fails', 'fails'],
  ['cleansUp', 'fails'],
  ['ignores', 'fails'],
  ['ignores', 'failsAtOnce'],
  ['ignores', 'waits', 'fails'],
  ['cleansUp', 'ignores', 'fails'],
]

const why = {
  stillRunning: 'The task goes on when nobody expects it any more, and its error has nowhere to go.',
  oneByOne: 'Tasks that only wait can all wait at the same time.',
  inTheList: 'An error that only says “cancelled” hides the failure that was the reason.',
  notCancelled: 'The result of the others is not wanted any more: abort the signal as soon as a task has failed.',
}

function play(together: Solution['together'], kinds: readonly Body[], stage: Stage) {
  const names = ['a', 'b', 'c'].slice(0, kinds.length)
  const started = new Set<string>()
  const running = new Set<string>()
  const signals = new Set<AbortSignal>()
  /** Those that failed, in this order; those that were cancelled did not. */
  const failures: { who: string; error: unknown }[] = []
  const cancelled: { who: string; error: unknown }[] = []
  /** What is wrong, and the last step of the history that matters. */
  let found: { fault: Fault; last: string } | undefined

  const tasks = kinds.map((kind, at): Task<string> => {
    const who = names[at]
    const failed = (error: unknown) => {
      running.delete(who)
      const isReal = error instanceof Error && error.message === `${who} has failed`
      stage.note(who, isReal ? 'fails' : 'is cancelled')
      const list = isReal ? failures : cancelled
      list.push({ who, error })
    }
    return (signal) => {
      started.add(who)
      running.add(who)
      signals.add(signal)
      stage.note(who, 'starts')
      const run = () => {
        try {
          return bodies[kind]({ stage, who, signal })
        } catch (error) {
          failed(error)
          throw error
        }
      }
      const promise: Promise<void> = run()
      return promise.then(
        () => {
          running.delete(who)
          stage.note(who, 'ends')
          const [first] = failures
          const waiting = names.find((other) => !started.has(other))
          if (waiting !== undefined && !first) {
            const says = `${who} has ended before ${waiting} was started.`
            found ??= { fault: { says, why: why.oneByOne }, last: who }
          }
          if (kind === 'waits' && first && !signal.aborted) {
            const says = `${first.who} has failed, and ${who} is not cancelled.`
            found ??= { fault: { says, why: why.notCancelled }, last: who }
          }
          return `result of ${who}`
        },
        (error) => {
          failed(error)
          throw error
        },
      )
    }
  })

  function ended(how: 'returns' | 'throws', what: unknown) {
    stage.note('together', `${how} ${what instanceof Error ? `“${what.message}”` : JSON.stringify(what)}`)
    const fault = faultAtEnd(how, what)
    if (fault) found ??= { fault, last: 'together' }
  }

  function faultAtEnd(how: 'returns' | 'throws', what: unknown): Fault | undefined {
    const left = names.find((who) => running.has(who))
    const missing = names.find((who) => !started.has(who))
    const [first] = failures
    if (started.size === 0 && names.length > 0) return { says: `It ${how}, and no task has been started.` }
    if (left !== undefined) return { says: `It ${how} while ${left} is still running.`, why: why.stillRunning }
    if (first && how === 'returns') return { says: `${first.who} has failed, and it returns.` }
    if (first) return what === first.error ? undefined : otherError(what, first.error)
    if (how === 'throws') throw what
    if (missing !== undefined) return { says: `It returns, and ${missing} has not been started.` }
    if (signals.size > 1) return { says: 'Each task gets a signal of its own: they are not a group.' }
    const expected = JSON.stringify(names.map((who) => `result of ${who}`))
    const received = JSON.stringify(what)
    return received === expected
      ? undefined
      : { says: 'It does not return the results in the order of the tasks.', expected, received }
  }

  function otherError(thrown: unknown, first: unknown): Fault {
    const messageOf = (error: unknown) => (error instanceof Error ? error.message : String(error))
    const compared = { expected: messageOf(first), received: messageOf(thrown) }
    const victim = cancelled.find(({ error }) => error === thrown)
    if (victim)
      return { says: `It throws that ${victim.who} was cancelled, and not why.`, ...compared, why: why.inTheList }
    if (failures.some(({ error }) => error === thrown))
      return { says: 'It throws the second error, and not the first.', ...compared }
    return { says: 'It throws another error than that of the task.', ...compared }
  }

  return {
    actors: {
      together: async () => {
        let results: string[]
        try {
          results = await together(tasks)
        } catch (error) {
          return ended('throws', error)
        }
        ended('returns', results)
      },
    },
    maySkipAwait: true,
    check({ stuck, history }: { stuck: readonly string[]; history: readonly Step[] }): Fault | undefined {
      if (found) {
        const { fault, last } = found
        return { ...fault, history: history.slice(0, history.findLastIndex(({ who }) => who === last) + 1) }
      }
      if (stuck.length === 0) return undefined
      return {
        says:
          names.length > 0 ? 'It waits for ever, although all tasks have ended.' : 'A group without tasks never ends.',
      }
    },
  }
}

export default exercise<Solution>({
  async check({ together }, { signal }) {
    for (const kinds of plays) {
      const fault = await underEverySchedule((stage) => play(together, kinds, stage), { mostRuns: 300, signal })
      if (fault) return fault
    }
    return undefined
  },
})
