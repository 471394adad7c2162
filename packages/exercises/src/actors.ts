/**
 * Asynchronous programs under every schedule: which of the operations in progress ends next, when time passes, and when
 * a program is killed, is decided by the schedule and not by chance.
 */
import { AsyncLocalStorage } from 'node:async_hooks'
import { setImmediate } from 'node:timers/promises'
import { messageOf } from '@repo/common/output/errors'
import { type Fault, longestHistory, type Step } from './exercise.ts'
import { type Choose, type ExploreOptions, explore } from './explore.ts'
import { blame, callingPlace, lineOf } from './line.ts'

/** What a program on the stage can do. */
export interface Stage {
  /** The virtual time in ms. It passes when the schedule says so. */
  readonly now: number
  /**
   * An operation of the calling actor. It takes place when the schedule says so, all at once.
   *
   * @param what what the history says; a function gets the result
   * @param options.who who the history says took it, such as a part of the actor; by default the actor itself. Only an
   *   actor's own operations are taken back when it is killed, and must have been awaited when it returns.
   * @returns what `act` returns; rejects with what it throws
   */
  step<Result>(
    what: string | ((result: Result) => string),
    act: () => Result,
    options?: { to?: string; who?: string },
  ): Promise<Result>
  /** Waits in virtual time; ends early, with the signal's reason, when that is aborted. `who` as above. */
  sleep(ms: number, options?: { signal?: AbortSignal; who?: string }): Promise<void>
  /** Adds a line to the history at once: what somebody sees, or does without waiting. */
  note(who: string, what: string): void
}

/** What became of the actors. */
export interface Ended {
  /** What each actor returned; those that threw, were killed or still wait are missing. */
  returned: Map<string, unknown>
  threw: Map<string, unknown>
  killed: string[]
  /** Those that wait for something that never comes. */
  stuck: string[]
  history: readonly Step[]
  now: number
}

/** A play: who acts, and what must hold at the end. */
export interface Play {
  /** By name, in the order in which they begin. */
  actors: Record<string, () => Promise<unknown>>
  /** Who may be killed between two operations, and how many of them in one run; 1 by default. */
  mortal?: readonly string[]
  mostKilled?: number
  /** What begins when an actor was killed, under the same name with a prime: its successor. */
  successor?: (killed: string) => (() => Promise<unknown>) | undefined
  /** An actor may return while operations that it began go on. */
  maySkipAwait?: boolean
  /** Returns what broke. An error that an actor threw is one anyway, unless `mayThrow`. */
  check: (ended: Ended) => Fault | undefined
  mayThrow?: boolean
}

interface Pending {
  who: string
  place: () => number | undefined
  what: () => string
  to: string | undefined
  /** The virtual time from which it can take place. */
  atMs: number
  act: () => void
}

/** More operations than this are an endless loop. */
const mostSteps = 400

/**
 * Plays under many schedules, those with the fewest surprises first.
 *
 * @param begin makes the play anew for each run
 * @returns what broke, with the shortest history
 */
export async function underEverySchedule(
  begin: (stage: Stage) => Play,
  options: ExploreOptions = {},
): Promise<Fault | undefined> {
  return await explore(
    (choose) => playOnce(begin, choose),
    ({ history = [] }) => history.length,
    options,
  )
}

async function playOnce(begin: (stage: Stage) => Play, choose: Choose): Promise<Fault | undefined> {
  const actor = new AsyncLocalStorage<string>()
  const history: Step[] = []
  const waiting = new Set<Pending>()
  const ended: Ended = { returned: new Map(), threw: new Map(), killed: [], stuck: [], history, now: 0 }
  const alive = new Set<string>()
  let unawaited: { who: string; pending: Pending } | undefined

  const stage: Stage = {
    get now() {
      return ended.now
    },
    step(what, act, { to, who = actor.getStore() ?? 'main' } = {}) {
      const place = callingPlace()
      return new Promise((resolve, reject) => {
        let result: ReturnType<typeof act>
        const text = () => (typeof what === 'string' ? what : what(result))
        const pending: Pending = {
          who,
          place,
          to,
          what: text,
          atMs: ended.now,
          act() {
            try {
              result = act()
            } catch (error) {
              blame(error, place)
              pending.what = () => `${typeof what === 'string' ? what : 'an operation'} fails`
              return reject(error)
            }
            resolve(result)
          },
        }
        waiting.add(pending)
      })
    },
    sleep(ms, { signal, who = actor.getStore() ?? 'main' } = {}) {
      const place = callingPlace()
      return new Promise((resolve, reject) => {
        if (signal?.aborted) return reject(signal.reason)
        const pending: Pending = {
          who,
          place,
          to: undefined,
          what: () => `has waited ${ms} ms`,
          atMs: ended.now + ms,
          act: resolve,
        }
        waiting.add(pending)
        signal?.addEventListener('abort', () => {
          if (waiting.delete(pending)) reject(signal.reason)
        })
      })
    },
    note: (who, what) => void history.push(stepAt(callingPlace(), { who, what })),
  }
  const play = begin(stage)

  function start(who: string, run: () => Promise<unknown>) {
    alive.add(who)
    // Not at once: an actor that throws in its first line does so like any other.
    const running = actor.run(who, async () => await run())
    running.then(
      (value) => {
        if (!alive.delete(who)) return
        ended.returned.set(who, value)
        const pending = [...waiting].find((each) => each.who === who)
        if (pending) unawaited ??= { who, pending }
      },
      (error) => {
        if (alive.delete(who)) ended.threw.set(who, error)
      },
    )
  }

  for (const [who, run] of Object.entries(play.actors)) start(who, run)
  let last: string | undefined
  for (let steps = 0; ; steps++) {
    // Whatever can go on without us, does.
    await setImmediate()
    if (steps >= mostSteps) return tooLong(history)
    const ready = [...waiting].filter(({ atMs }) => atMs <= ended.now)
    const later = [...waiting].filter(({ atMs }) => atMs > ended.now).sort((a, b) => a.atMs - b.atMs)
    // Time may pass although somebody could act: then that one is slow.
    const options: Pending[] = [...ready, ...later.slice(0, 1)]
    if (options.length === 0) break
    const mortals =
      ended.killed.length < (play.mostKilled ?? 1) ? (play.mortal ?? []).filter((who) => alive.has(who)) : []
    const usual = Math.max(
      0,
      ready.findIndex(({ who }) => who === last),
    )
    const chosen = choose(options.length + mortals.length, usual)
    const dies = mortals[chosen - options.length]
    if (dies !== undefined) {
      alive.delete(dies)
      for (const pending of waiting) if (pending.who === dies) waiting.delete(pending)
      ended.killed.push(dies)
      history.push({ who: dies, what: 'is killed' })
      const successor = play.successor?.(dies)
      if (successor) start(`${dies}′`, successor)
      continue
    }
    const next = options[chosen] as Pending
    ended.now = Math.max(ended.now, next.atMs)
    waiting.delete(next)
    last = next.who
    // First in the history, then done: what it makes somebody note at once comes after it.
    const step = stepAt(next.place, { who: next.who, what: '', ...(next.to && { to: next.to }) })
    history.push(step)
    next.act()
    step.what = next.what()
  }
  ended.stuck.push(...alive)

  const [thrower] = play.mayThrow ? [] : ended.threw
  if (thrower) {
    const [who, error] = thrower
    return { says: `${who} throws: ${messageOf(error)}`, history, line: lineOf(error) }
  }
  if (unawaited && !play.maySkipAwait) {
    const { who, pending } = unawaited
    return {
      says: `${who} returned before its operation was done: an await is missing.`,
      history: history.slice(-longestHistory),
      line: pending.place(),
      why: 'A promise that nobody awaits goes on alone, and its error has nowhere to go.',
    }
  }
  const fault = play.check(ended)
  return fault && { history, ...fault }
}

/** A step that looks for its line when somebody asks: to do so for every step takes longer than all else. */
const stepAt = (place: () => number | undefined, step: Step): Step =>
  Object.defineProperty(step, 'line', { get: place, enumerable: true })

function tooLong(history: readonly Step[]): Fault {
  return {
    says: `After ${mostSteps} operations it has still not ended: an endless loop.`,
    history: history.slice(-4),
  }
}
