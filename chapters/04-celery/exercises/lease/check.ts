/** Two programs want one lock, in virtual time: one is slow or is killed, and the other one comes later. */
import { type Ended, type Stage, underEverySchedule } from '@repo/exercises/actors'
import { exercise, type Fault, longestHistory, type Step } from '@repo/exercises/exercise'
import { merged, upTo } from '@repo/exercises/history'

type Solution = typeof import('./exercise.ts')

/** A lock on a server. Each call is one step there. */
export interface Lock {
  /** Takes the lock if nobody has it. Returns whether. Without `leaseMs` it does not run out. */
  takeIfFree(owner: string, leaseMs?: number): Promise<boolean>
  /** Returns who has the lock. */
  owner(): Promise<string | undefined>
  /** Lets the lock run out in `leaseMs` from now, whoever has it. Returns whether anybody has it. */
  extend(leaseMs: number): Promise<boolean>
  /** The same, if `owner` has it. Returns whether. */
  extendIfMine(owner: string, leaseMs: number): Promise<boolean>
  /** Frees the lock, whoever has it. */
  delete(): Promise<void>
  /** Frees the lock if `owner` has it. Returns whether. */
  deleteIfMine(owner: string): Promise<boolean>
}

/** Rejects soon after its signal was aborted. */
export type Work = (signal: AbortSignal) => Promise<void>

export interface Options {
  /** A name that no other program has. */
  owner: string
  leaseMs: number
  /** Waits; rejects at once when the signal is aborted. */
  sleep: (ms: number, options?: { signal?: AbortSignal }) => Promise<void>
}

export type Outcome = 'done' | 'busy' | 'lost'

const leaseMs = 60
/** Longer than a lease, so that it has to be renewed. */
const workMs = 100
const shortWorkMs = 10
/** The second program comes when a lease that was not renewed has run out. */
const secondComesMs = 70
const secondTries = 5
const secondEveryMs = 50

/** What the checker sees of a run. */
class Watch {
  readonly inside = new Set<string>()
  /** What is under way, with the time at which it could have been done. */
  readonly pending = new Set<{ who: string; dueMs: number }>()
  #wasSlow = false
  /** Those whose lock went to somebody else while they worked. */
  readonly overtaken = new Set<string>()
  /** Those whose renewal was refused. */
  readonly refused = new Set<string>()
  /** What broke first, and the step that did it. */
  broken: { fault: Fault; isLast: (step: Step) => boolean } | undefined

  /** Runs something, and notes whether it takes longer than it has to. */
  async during<Result>(stage: Stage, who: string, dueMs: number, act: () => Promise<Result>): Promise<Result> {
    const own = { who, dueMs }
    this.pending.add(own)
    try {
      return await act()
    } finally {
      this.pending.delete(own)
      if (stage.now > dueMs) this.#wasSlow = true
    }
  }

  /** Whether anything has taken longer than it had to, until now. */
  isSlow({ now }: Stage): boolean {
    return this.#wasSlow || [...this.pending].some(({ dueMs }) => dueMs < now)
  }

  /** Forgets a program that was killed. */
  forget(who: string) {
    this.inside.delete(who)
    for (const each of this.pending) if (each.who === who) this.pending.delete(each)
  }

  breaks(who: string, did: string, fault: Fault) {
    this.broken ??= { fault, isLast: (step) => step.who === who && step.what.startsWith(did) }
  }
}

function newLock(stage: Stage, watch: Watch) {
  let held: { owner: string; who: string; untilMs: number } | undefined
  const holder = () => {
    if (held && held.untilMs <= stage.now) held = undefined
    return held
  }
  /** The lock as one program sees it, in one call of its function. */
  function lockOf(who: string): Lock {
    let refusals = 0
    function call<Result>(what: (result: Result) => string, act: () => Result): Promise<Result> {
      const text = (result: Result) => `${what(result)} (at ${stage.now} ms)`
      return watch.during(stage, who, stage.now, () => stage.step(text, act))
    }
    function touches(did: 'extends' | 'deletes') {
      const other = holder()
      if (!other || other.who === who) return
      const why = 'It was slow, and its lease has run out. Whose lock it is must be part of the same step.'
      watch.breaks(who, did, { says: `${who} ${did} a lock that ${other.who} has by now.`, why })
    }
    /** A lease that ends in a moment would end before a renewal that is a little late. */
    function renews(lease: { untilMs: number }, ms: number) {
      const leftMs = lease.untilMs - stage.now
      if (leftMs < leaseMs / 4 && !watch.isSlow(stage)) {
        const says = `${who} renews its lease only when ${leftMs} of ${leaseMs} ms are left.`
        watch.breaks(who, 'extends', { says, why: 'A renewal that is a little late would come too late.' })
      }
      lease.untilMs = stage.now + ms
    }
    return {
      takeIfFree: (owner, ms = Number.POSITIVE_INFINITY) =>
        call(
          (taken: boolean) => (taken ? 'takes the lock' : 'finds it taken'),
          () => {
            if (holder()) {
              const says = `${who} finds the lock taken, and asks again instead of returning busy.`
              if (refusals++ > 0) watch.breaks(who, 'finds it taken', { says })
              return false
            }
            held = { owner, who, untilMs: stage.now + ms }
            for (const each of watch.inside) watch.overtaken.add(each)
            return true
          },
        ),
      owner: () =>
        call(
          (owner: string | undefined) => `asks whose it is: ${owner ?? 'nobody’s'}`,
          () => holder()?.owner,
        ),
      extend: (ms) =>
        call(
          (done: boolean) => (done ? 'extends the lease' : 'finds no lock to extend'),
          () => {
            touches('extends')
            const found = holder()
            if (found) renews(found, ms)
            else watch.refused.add(who)
            return found !== undefined
          },
        ),
      extendIfMine: (owner, ms) =>
        call(
          (done: boolean) => (done ? 'extends the lease' : 'may not extend it'),
          () => {
            const found = holder()
            if (found?.owner !== owner) {
              watch.refused.add(who)
              return false
            }
            touches('extends')
            renews(found, ms)
            return true
          },
        ),
      delete: () =>
        call(
          () => 'deletes the lock',
          () => {
            touches('deletes')
            held = undefined
          },
        ),
      deleteIfMine: (owner) =>
        call(
          (done: boolean) => (done ? 'deletes the lock' : 'finds another owner'),
          () => {
            if (holder()?.owner !== owner) return false
            touches('deletes')
            held = undefined
            return true
          },
        ),
    }
  }
  /** The lease runs out, and somebody else takes the lock. */
  function goesTo(who: string) {
    held = { owner: `program ${who}`, who, untilMs: Number.POSITIVE_INFINITY }
  }
  return { lockOf, holder, goesTo }
}

const twoPrograms = async ({ underLease }: Solution, signal: AbortSignal) =>
  await underEverySchedule(
    (stage) => {
      const watch = new Watch()
      const { lockOf, holder } = newLock(stage, watch)
      const sleepOf =
        (who: string): Options['sleep'] =>
        (ms, options) =>
          watch.during(stage, who, stage.now + ms, () => stage.sleep(ms, options))
      const work =
        (who: string, ms: number): Work =>
        async (given) => {
          const [other] = watch.inside
          watch.inside.add(who)
          stage.note(who, 'begins its work')
          if (!watch.isSlow(stage) && other !== undefined) {
            const why = 'Work that may take longer than the lease needs a lease that is renewed meanwhile.'
            const says = `${other} is still at work when its lease ends, and ${who} begins as well.`
            watch.breaks(who, 'begins', {
              says: holder() ? says : `${who} begins its work without the lock.`,
              ...(holder() && { why }),
            })
          } else if (!watch.isSlow(stage) && holder()?.who !== who) {
            watch.breaks(who, 'begins', { says: `${who} begins its work without the lock.` })
          }
          try {
            await sleepOf(who)(ms, { signal: given })
            stage.note(who, 'has done its work')
            if (watch.refused.has(who)) {
              const says = `${who} is told that its lease has ended, and goes on working.`
              watch.breaks(who, 'has done', {
                says,
                why: 'Somebody else may be working by now: the signal must be aborted.',
              })
            }
          } finally {
            watch.inside.delete(who)
          }
        }
      const run = async (who: string, ms: number) =>
        await underLease(lockOf(who), work(who, ms), { owner: `program ${who}`, leaseMs, sleep: sleepOf(who) })
      async function second() {
        await stage.sleep(secondComesMs)
        for (let tries = 1; tries < secondTries; tries++) {
          const outcome = await run('b', shortWorkMs)
          if (outcome !== 'busy') return outcome
          await stage.sleep(secondEveryMs)
        }
        return await run('b', shortWorkMs)
      }
      return {
        actors: { a: () => run('a', workMs), b: second },
        mortal: ['a'],
        successor(killed) {
          watch.forget(killed)
          return undefined
        },
        check(ended) {
          // The times are in the other steps.
          const steps = ended.history.filter(({ what }) => !what.startsWith('has waited'))
          const { fault, isLast } = watch.broken ?? {
            fault: outcomeFault(ended, watch.isSlow(stage), watch.overtaken),
            isLast: () => true,
          }
          return fault && { ...fault, history: merged(upTo(steps, isLast)).slice(-longestHistory) }
        },
      }
    },
    { mostDeviations: 2, mostRuns: 1_000, signal },
  )

function outcomeFault({ returned, killed }: Ended, isSlow: boolean, overtaken: ReadonlySet<string>): Fault | undefined {
  const [a, b] = [returned.get('a'), returned.get('b')]
  if (b === 'busy' && killed.length > 0) {
    const why = 'To take the lock and to give it a lease must be one step: a program can die between two.'
    return { says: 'a is killed, and nobody gets the lock any more.', why }
  }
  if (b === 'busy') return { says: 'a has ended, and the lock stays taken.' }
  if (a === 'busy' && !isSlow) return { says: 'a says busy, although nobody has the lock.' }
  if (a === 'done' && overtaken.has('a')) return { says: 'a says done, although b had the lock before a had ended.' }
  if (a === 'lost' && !isSlow) return { says: 'a loses the lock although it was never slow: it renews too late.' }
  return undefined
}

/** Work that fails by itself. */
const failing = async ({ underLease }: Solution) =>
  await underEverySchedule(
    (stage) => {
      const { lockOf, holder } = newLock(stage, new Watch())
      const error = new Error('the work fails')
      async function work() {
        stage.note('a', 'its work fails')
        throw error
      }
      const options: Options = { owner: 'program a', leaseMs, sleep: (ms, each) => stage.sleep(ms, each) }
      return {
        actors: { a: async () => await underLease(lockOf('a'), work, options).catch((thrown: unknown) => thrown) },
        check({ returned }) {
          if (holder()) return { says: 'The work fails, and the lock stays taken.' }
          if (returned.get('a') !== error) return { says: 'The work fails, and its error is lost.' }
          return undefined
        },
      }
    },
    { mostDeviations: 0 },
  )

/** A program that sleeps at the end of its work for longer than its lease, and is not told. */
const asleep = async ({ underLease }: Solution) =>
  await underEverySchedule(
    (stage) => {
      const { lockOf, holder, goesTo } = newLock(stage, new Watch())
      async function work() {
        await stage.step('has done its work, and is paused', () => {})
        goesTo('b')
        stage.note('b', 'takes the lock, which has run out')
      }
      const options: Options = { owner: 'program a', leaseMs, sleep: (ms, each) => stage.sleep(ms, each) }
      return {
        actors: { a: async () => await underLease(lockOf('a'), work, options) },
        check({ returned }) {
          if (holder()?.who !== 'b') return { says: 'a deletes a lock that b has by now.' }
          const outcome = returned.get('a')
          if (outcome === 'lost') return undefined
          const why = 'Nobody has refused a renewal. That the lock is no longer its own shows when it is given back.'
          return { says: `a says ${outcome}, although b had the lock before a had ended.`, why }
        },
      }
    },
    { mostDeviations: 0 },
  )

export default exercise<Solution>({
  check: async (solution, { signal }) =>
    (await twoPrograms(solution, signal)) ?? (await failing(solution)) ?? (await asleep(solution)),
})
