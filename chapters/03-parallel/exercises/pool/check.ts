/** Workers answer, die and are heard of in every order. */
import { type Ended, type Play, type Stage, underEverySchedule } from '@repo/exercises/actors'
import { exercise, type Fault, longestHistory, type Step } from '@repo/exercises/exercise'
import { declaredAt } from '@repo/exercises/line'

/** A thread or a process that does one task at a time. */
export interface PoolWorker {
  /** Gives it a task. A dead worker does nothing with it. */
  post: (task: string) => void
}

/** What is heard from a worker. */
export interface WorkerEvents {
  /** It has done its task. */
  onResult: (result: string) => void
  /** It is dead: the last that is heard from it. */
  onExit: () => void
}

/** Starts a worker. */
export type StartWorker = (events: WorkerEvents) => PoolWorker

export interface Pool {
  /** Returns a task's result. Rejected if the worker that has the task dies. */
  run: (task: string) => Promise<string>
}

type Solution = typeof import('./exercise.ts')

const size = 2
const tasks = ['t1', 't2', 't3', 't4', 't5']
/** As many are handed in at once; the others when these are settled. */
const first = 3
const resultOf = (task: string) => `${task}, done`

export default exercise<Solution>({
  check: async (solution, { signal }) =>
    await underEverySchedule((stage) => new Workers(stage).play(solution), {
      mostDeviations: 2,
      mostRuns: 1_500,
      signal,
    }),
})

interface Simulated {
  name: string
  events: WorkerEvents | undefined
  inbox: string[]
  wake: (() => void) | undefined
  isBusy: boolean
  isDead: boolean
  /** The pool has heard of its death. */
  hasExited: boolean
}

class Workers {
  readonly #stage: Stage
  readonly #workers: Simulated[] = ['worker 1', 'worker 2', 'worker 3', 'worker 4'].map((name) => ({
    name,
    events: undefined,
    inbox: [],
    wake: undefined,
    isBusy: false,
    isDead: false,
    hasExited: false,
  }))
  /** Which worker got each task. */
  readonly #given = new Map<string, Simulated>()
  readonly #answers = new Map<string, { result: string } | { error: unknown }>()
  /** What the pool should not have done, and the step in which it did. */
  #broken: { fault: Fault; step: string; about: Simulated[] } | undefined

  constructor(stage: Stage) {
    this.#stage = stage
  }

  play({ makePool }: Solution): Play {
    const started = () => this.#workers.filter(({ events }) => events !== undefined).map(({ name }) => name)
    return {
      actors: {
        caller: async () => {
          const pool = makePool((events) => this.#start(events), size)
          for (const some of [tasks.slice(0, first), tasks.slice(first)])
            await Promise.all(some.map((task) => this.#ask(pool, task)))
        },
        ...Object.fromEntries(this.#workers.map((worker) => [worker.name, () => this.#live(worker)])),
      },
      get mortal() {
        return started()
      },
      mostKilled: 2,
      successor: (killed) => {
        const dead = this.#workers.find(({ name }) => name === killed)
        if (!dead) return undefined
        dead.isDead = true
        return () => this.#exit(dead)
      },
      check: (ended) => this.#check(ended),
    }
  }

  async #ask(pool: Pool, task: string): Promise<void> {
    const answer = (value: { result: string } | { error: unknown }) => void this.#answers.set(task, value)
    await pool.run(task).then(
      (result) => answer({ result }),
      (error: unknown) => answer({ error }),
    )
  }

  #start(events: WorkerEvents): PoolWorker {
    const worker = this.#workers.find((each) => each.events === undefined)
    const running = this.#workers.filter((each) => each.events !== undefined && !each.hasExited)
    if (!worker || running.length >= size) {
      const says = `The pool starts a worker, although it has ${running.length} of at most ${size}.`
      this.#note(`starts ${worker?.name ?? 'worker 5'}`, { says })
      return { post: () => {} }
    }
    worker.events = events
    this.#note(`starts ${worker.name}`)
    return { post: (task) => this.#post(worker, task) }
  }

  #post(worker: Simulated, task: string): void {
    const { name } = worker
    const before = this.#given.get(task)
    let fault: Fault | undefined
    if (worker.hasExited) {
      const why = 'A worker may also die while it is idle: a dead worker must not count as free.'
      fault = { says: `The pool gives ${task} to ${name}, which has exited.`, why }
    } else if (before) {
      const why =
        'A task that kills its worker would kill one worker after another, and half of its work may already be done.'
      fault = { says: `The pool gives ${task} to a second worker, after the first one has died of it.`, why }
    } else if (worker.isBusy)
      fault = { says: `The pool gives ${task} to ${name}, which has not answered its task yet.` }
    this.#note(`gives ${task} to ${name}`, fault, before ? [before, worker] : [worker])
    this.#given.set(task, worker)
    if (worker.isDead) return
    worker.isBusy = true
    worker.inbox.push(task)
    worker.wake?.()
  }

  #note(step: string, fault?: Fault, about = this.#workers): void {
    this.#stage.note('pool', step)
    if (fault) this.#broken ??= { fault, step, about }
  }

  async #live(worker: Simulated): Promise<void> {
    for (;;) {
      const task = worker.inbox.shift()
      if (task === undefined) {
        const { promise, resolve } = Promise.withResolvers<void>()
        worker.wake = resolve
        await promise
        continue
      }
      await this.#stage.step(`answers ${task}`, () => {
        worker.isBusy = false
        worker.events?.onResult(resultOf(task))
      })
    }
  }

  async #exit(worker: Simulated): Promise<void> {
    await this.#stage.step('exits', () => {
      worker.hasExited = true
      worker.events?.onExit()
    })
  }

  #check({ history }: Ended): Fault | undefined {
    // A successor has a prime: it is how the death of the worker becomes known.
    const steps = history.map((step) => ({ ...step, who: step.who.replace('′', '') }))
    if (this.#broken) {
      const { fault, step, about } = this.#broken
      const at = steps.findIndex(({ what }) => what === step)
      return { line: declaredAt('onExit'), ...fault, history: storyOf(about, steps.slice(0, at + 1)) }
    }
    for (const task of tasks) {
      const fault = this.#wrongAnswer(task)
      if (!fault) continue
      const worker = this.#given.get(task)
      return { history: storyOf(worker ? [worker] : this.#workers, steps), ...fault }
    }
    return undefined
  }

  #wrongAnswer(task: string): Fault | undefined {
    const answer = this.#answers.get(task)
    const worker = this.#given.get(task)
    if (answer && 'error' in answer && !worker?.isDead) {
      const { message } = answer.error instanceof Error ? answer.error : new Error(String(answer.error))
      return { says: `${task} fails (${message}), and its worker has not died.` }
    }
    if (answer && 'result' in answer && answer.result !== resultOf(task)) {
      return { says: `${task} gets a wrong result.`, expected: resultOf(task), received: String(answer.result) }
    }
    if (answer) return undefined
    if (worker?.isDead) {
      return {
        says: `${task} is never answered: its worker has died.`,
        line: declaredAt('onExit'),
        why: 'All that the pool hears of a dead worker is that it has exited.',
      }
    }
    if (worker) {
      return { says: `${task} is never answered, although its worker has answered.`, line: declaredAt('onResult') }
    }
    const says = `${task} is never answered: no worker gets it.`
    if (this.#workers.every(({ isDead }) => !isDead)) {
      return { says, line: declaredAt('onResult'), why: 'A worker that has answered is free again.' }
    }
    const why = 'A task that waits in the queue needs a new worker when the last one dies: no other event will come.'
    return { says, line: declaredAt('onExit'), why }
  }
}

/** The last steps of workers, and those of the pool that are about them. */
function storyOf(workers: readonly Simulated[], history: readonly Step[]): Step[] {
  const names = workers.map(({ name }) => name)
  return history
    .filter(({ who, what }) => names.some((name) => who === name || what.endsWith(name)))
    .slice(-longestHistory)
}
