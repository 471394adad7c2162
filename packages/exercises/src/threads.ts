/**
 * Real threads under every schedule: before each of its operations on `Atomics` a thread waits for its turn, and the
 * schedule says whose turn it is.
 */
import { once } from 'node:events'
import { Worker } from 'node:worker_threads'
import { type Fault, longestHistory, type Step } from './exercise.ts'
import { type Choose, type ExploreOptions, explore } from './explore.ts'
import { subjectUrl } from './line.ts'
import { changes, mostThreads, newShared, place, readText, type Setup, type Shared, state, turn } from './turns.ts'

/** A function that one of the threads runs. It must not keep anything from one run to the next. */
export type ThreadFunction<Solution> = (
  solution: Solution,
  options: {
    /** What the threads share; all zeros at the beginning of a run. */
    memory: Int32Array<SharedArrayBuffer>
    /** Adds a line to the history, for the check to see. Other threads may run before it. */
    note: (text: string) => void
  },
) => void

/** What became of the threads. */
export interface Ended {
  /** What they shared, as they left it. */
  memory: Int32Array
  /** Those that wait for a `notify` that never comes. */
  stuck: string[]
  history: readonly Step[]
}

export interface ThreadsOptions extends ExploreOptions {
  /** The checker, as `import.meta.url`. It exports `threads`: the functions by name. */
  checker: string
  /** The names of the functions to run, each in a thread of its own. */
  names: readonly string[]
  /** The size of the shared memory, an Int32Array. */
  words: number
  /** What the history calls the words of the memory; `[3]` and the like by default. */
  labels?: readonly string[]
  /** Threads may ask again and again instead of sleeping until they are woken. */
  maySpin?: boolean
  /** Returns what broke. */
  check: (ended: Ended) => Fault | undefined
}

/** More operations than this are an endless loop. */
const mostSteps = 300
/**
 * A thread that computes for this time and performs no operation is in a loop without one. Time on the clock would say
 * nothing: on a busy machine it may get no core for as long.
 */
const mostMs = 1_000
/** A thread that gets the same answer this often, and could have slept, spins. */
const mostRepeats = 4
/** The operations of a loop that spins are no more than these. */
const longestPeriod = 6

/**
 * Runs the threads under many schedules, those with the fewest preemptions first. A thread that spins, throws, never
 * ends or is woken only by its time-out is a fault in any case.
 *
 * @returns what broke, with the shortest history
 */
export async function underEveryInterleaving(options: ThreadsOptions): Promise<Fault | undefined> {
  const { names } = options
  if (names.length > mostThreads)
    throw new RangeError(`threads: received ${names.length}; accepts up to ${mostThreads}`)
  const found = await withThreads(options, false, (shared) =>
    explore(
      (choose) => {
        const choices: number[] = []
        const fault = new Interleaving(shared, options).run((...asked) => {
          const choice = choose(...asked)
          choices.push(choice)
          return choice
        })
        return fault && { fault, choices }
      },
      ({ fault: { history = [] } }) => history.length,
      options,
    ),
  )
  if (!found) return undefined
  // Once more, with new threads that look for their lines: to do so at each operation takes longer than all else.
  const { fault, choices } = found
  const again = await withThreads(options, true, (shared) =>
    new Interleaving(shared, options).run((_, usual) => choices.shift() ?? usual),
  )
  return again?.says === fault.says ? again : fault
}

async function withThreads<Result>(
  { names, words, checker, labels = [] }: ThreadsOptions,
  hasLines: boolean,
  use: (shared: Shared) => Promise<Result> | Result,
): Promise<Result> {
  const shared = newShared(words)
  const workers = names.map((name, at) => {
    const workerData: Setup = { ...shared, at, name, labels, checker, solution: subjectUrl(), hasLines }
    return new Worker(new URL('./thread.worker.ts', import.meta.url), { workerData })
  })
  try {
    await Promise.all(workers.map((worker) => once(worker, 'message')))
    for (const thread of names.keys()) hasSettled(shared, thread)
    return await use(shared)
  } finally {
    await Promise.all(workers.map((worker) => worker.terminate()))
  }
}

/** Waits until a thread has reached its next operation or its end. Returns false if it does not. */
function hasSettled({ turns }: Shared, thread: number): boolean {
  // All others wait.
  const begunWith = process.cpuUsage()
  const hasComputedMs = () => {
    const { user, system } = process.cpuUsage(begunWith)
    return (user + system) / 1_000
  }
  for (;;) {
    const seen = Atomics.load(turns, changes)
    if (Atomics.load(turns, place(thread, 'state')) !== state.running) return true
    if (Atomics.wait(turns, changes, seen, 100) === 'timed-out' && hasComputedMs() > mostMs) return false
  }
}

/** One run. */
class Interleaving {
  readonly #shared: Shared
  readonly #options: ThreadsOptions
  readonly #threads: number[]
  readonly #history: Step[] = []
  /** A thread does not answer. */
  #isLost = false
  /** What each thread has done since another one did something new. */
  readonly #own: string[][]

  constructor(shared: Shared, options: ThreadsOptions) {
    this.#shared = shared
    this.#options = options
    this.#threads = options.names.map((_, at) => at)
    this.#own = options.names.map(() => [])
  }

  run(choose: Choose): Fault | undefined {
    this.#shared.memory.fill(0)
    const fault = this.#play(choose)
    for (const thread of this.#threads) {
      while (!this.#isLost && this.#isIn(thread, 'parked', 'waiting')) this.#tell(thread, turn.giveUp)
    }
    return fault && { history: this.#history, ...fault }
  }

  #play(choose: Choose): Fault | undefined {
    for (const thread of this.#threads) {
      const loops = this.#tell(thread, turn.go)
      if (loops) return loops
    }
    for (let last = -1; ; ) {
      const failed = this.#threads.find((thread) => this.#isIn(thread, 'failed'))
      if (failed !== undefined) {
        return {
          says: `${this.#name(failed)} ${readText(this.#shared, failed)}`,
          line: this.#get(failed, 'line') || undefined,
        }
      }
      const ready = this.#ready()
      if (ready.length === 0) break
      if (this.#history.length >= mostSteps) return this.#spins(last) ?? this.#shortened('The threads do not end.')
      last = ready[choose(ready.length, this.#usual(ready, last), !ready.includes(last))] as number
      const fault = this.#step(last)
      if (fault) return fault
    }
    const stuck = this.#threads.filter((thread) => this.#isIn(thread, 'waiting')).map((thread) => this.#name(thread))
    return this.#options.check({ memory: this.#shared.memory, stuck, history: this.#history })
  }

  /** The threads that can do something. */
  #ready(): number[] {
    const ready = this.#threads.filter(
      (thread) => this.#isIn(thread, 'parked') || (this.#isIn(thread, 'waiting') && this.#get(thread, 'woken') === 1),
    )
    if (ready.length > 0) return ready
    // Nobody can do anything until time has passed.
    return this.#threads.filter((thread) => this.#isIn(thread, 'waiting') && this.#get(thread, 'hasTimeout') === 1)
  }

  /**
   * Which of the ready threads, by its position, runs unless the schedule says otherwise: the last one. One that may spin
   * would do so for ever, and lets the others run.
   */
  #usual(ready: readonly number[], last: number): number {
    const repeats = (thread: number) => {
      const [before, now] = this.#own[thread]?.slice(-2) ?? []
      return this.#options.maySpin === true && now !== undefined && now === before
    }
    const stays = ready.indexOf(last)
    if (stays >= 0 && !repeats(last)) return stays
    return Math.max(
      0,
      ready.findIndex((thread) => !repeats(thread)),
    )
  }

  #step(thread: number): Fault | undefined {
    const line = this.#get(thread, 'line') || undefined
    // Time passes only where nobody can do anything else.
    const isTimedOut = this.#isIn(thread, 'waiting') && this.#get(thread, 'woken') === 0
    if (this.#isIn(thread, 'parked') && this.#get(thread, 'isNotify') === 1) this.#wake(thread)
    const loops = this.#tell(thread, turn.go)
    if (loops) return loops
    const what = readText(this.#shared, thread)
    this.#history.push({ who: this.#name(thread), what, line })
    if (isTimedOut && !this.#options.maySpin) {
      const says = `${this.#name(thread)} is woken by nobody: it sleeps until its time-out.`
      const why = 'A thread that looks again now and then polls: it is late, and costs time.'
      return { ...this.#shortened(says), line, why }
    }

    const own = this.#own[thread] ?? []
    // Something changed: the others may get another answer.
    if (own.at(-1) !== what) for (const each of this.#own) if (each !== own) each.splice(0, each.length - 1)
    own.push(what)
    const isAlone = this.#threads.every((other) => other === thread || this.#isIn(other, 'ended'))
    return isAlone ? undefined : this.#spins(thread, line)
  }

  /** A thread that does the same few operations over and over, with the same answers, could have slept. */
  #spins(thread: number, line?: number): Fault | undefined {
    const own = this.#own[thread] ?? []
    const repeats = Array.from({ length: longestPeriod }, (_, at) => at + 1).some((period) => {
      const last = own.slice(-mostRepeats * period - 1)
      return last.length > mostRepeats * period && last.every((what, at) => at < period || what === last[at - period])
    })
    if (!repeats || this.#options.maySpin) return undefined
    const why = 'A thread that spins takes a core from the one that it waits for.'
    return {
      ...this.#shortened(`${this.#name(thread)} spins: it asks again and again instead of sleeping.`),
      why,
      line,
    }
  }

  /** Wakes as many threads as the operation of this one says, those that sleep at its address, in order. */
  #wake(thread: number) {
    const address = this.#get(thread, 'address')
    const sleeping = this.#threads.filter(
      (other) =>
        this.#isIn(other, 'waiting') && this.#get(other, 'woken') === 0 && this.#get(other, 'address') === address,
    )
    const woken = sleeping.slice(0, this.#get(thread, 'count'))
    for (const other of woken) this.#set(other, 'woken', 1)
    this.#set(thread, 'woken', woken.length)
  }

  /** Tells a thread something, and waits until it has reached its next operation or its end. */
  #tell(thread: number, what: number): Fault | undefined {
    this.#set(thread, 'state', state.running)
    this.#set(thread, 'turn', what)
    Atomics.notify(this.#shared.turns, place(thread, 'turn'))
    if (hasSettled(this.#shared, thread)) return undefined
    this.#isLost = true
    return this.#shortened(`${this.#name(thread)} does not end, and does nothing that another thread could see.`)
  }

  #shortened(says: string): Fault {
    return { says, history: this.#history.slice(-longestHistory / 2) }
  }

  #name(thread: number): string {
    return this.#options.names[thread] ?? ''
  }

  #isIn(thread: number, ...states: (keyof typeof state)[]): boolean {
    const now = this.#get(thread, 'state')
    return states.some((each) => state[each] === now)
  }

  #get(thread: number, field: Parameters<typeof place>[1]): number {
    return Atomics.load(this.#shared.turns, place(thread, field))
  }

  #set(thread: number, field: Parameters<typeof place>[1], value: number) {
    Atomics.store(this.#shared.turns, place(thread, field), value)
  }
}
