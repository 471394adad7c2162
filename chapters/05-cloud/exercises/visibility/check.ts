/** Two workers and one message, in virtual time; one of the workers may be killed, or the work may fail. */
import { type Ended, type Play, type Stage, underEverySchedule } from '@repo/exercises/actors'
import { exercise, type Fault, longestHistory, type Step } from '@repo/exercises/exercise'
import { lineIn } from '@repo/exercises/line'

/** A message as it was delivered. */
export interface Delivery {
  body: string
  /** Differs at each delivery. */
  receipt: string
}

export interface HandleOptions {
  queue: {
    /** Hides the message for a time from now on. Rejected if it was delivered again since, or deleted. */
    extend: (message: Delivery, ms: number) => Promise<void>
    /** Deletes the message. Has no effect if it was delivered again since. */
    remove: (message: Delivery) => Promise<void>
  }
  /** How long a message is hidden after its delivery. */
  visibilityMs: number
  /** Does the work; takes longer than that. */
  work: (body: string) => Promise<void>
  /** Waits; ends early, with the signal's reason, when that is aborted. */
  sleep: (ms: number, options?: { signal?: AbortSignal }) => Promise<void>
}

type Solution = typeof import('./exercise.ts')

const visibilityMs = 30
const workMs = 70
/** More deliveries than this are a message that comes back for ever. */
const mostDeliveries = 6

export default exercise<Solution>({
  async check({ handle }, { signal }) {
    for (const failures of [0, 1]) {
      const begin = (stage: Stage) => new Queue(stage, failures).play(handle)
      const fault = await underEverySchedule(begin, { mostDeviations: 2, mostRuns: 150, signal })
      if (fault) return fault
    }
    return undefined
  },
})

/** What the history says if something is left of handle. */
const goesOn = 'has returned, and goes on asking'
const notDone = 'has returned before it was done'

/** The failure of the work that is no mistake of the reader. */
class WorkFailed extends Error {}

/** A worker, and what it is waiting for. */
interface Consumer {
  name: string
  isWorking: boolean
  isRemoving: boolean
  isDead: boolean
  /** When it has asked for more time; undefined if that was answered. */
  askedAtMs: number | undefined
  /** When its sleeps should end. */
  wakesAtMs: Set<number>
}

class Queue {
  readonly #stage: Stage
  /** How many attempts fail. */
  readonly #failures: number
  readonly #consumers = ['a', 'b'].map(
    (name): Consumer => ({
      name,
      isWorking: false,
      isRemoving: false,
      isDead: false,
      askedAtMs: undefined,
      wakesAtMs: new Set(),
    }),
  )
  #holder: Consumer | undefined
  #visibleAtMs = 0
  #deliveries = 0
  #attempts = 0
  #successes = 0
  #isRemoved = false
  /** The number of a delivery that came while a worker still worked on the one before, and was not too slow to ask. */
  #overlap: number | undefined
  /** How long a message would stay hidden after the death of its worker, if that is too long. */
  #hiddenTooLongMs: number | undefined

  constructor(stage: Stage, failures: number) {
    this.#stage = stage
    this.#failures = failures
  }

  play(handle: Solution['handle']): Play {
    return {
      actors: Object.fromEntries(
        this.#consumers.map((consumer) => [consumer.name, () => this.#consume(consumer, handle)]),
      ),
      mortal: this.#consumers.map(({ name }) => name),
      successor: (killed) => {
        const dead = this.#consumers.find(({ name }) => name === killed)
        if (dead) dead.isDead = true
        const hiddenMs = this.#visibleAtMs - this.#stage.now
        if (dead && dead === this.#holder && hiddenMs > visibilityMs) this.#hiddenTooLongMs ??= hiddenMs
        return undefined
      },
      // Both are looked for here, with a shorter history.
      maySkipAwait: true,
      mayThrow: true,
      check: (ended) => this.#check(ended),
    }
  }

  async #consume(consumer: Consumer, handle: Solution['handle']): Promise<void> {
    const options = this.#optionsFor(consumer)
    while (!this.#isRemoved && this.#deliveries < mostDeliveries) {
      const hiddenMs = this.#visibleAtMs - this.#stage.now
      if (hiddenMs > 0) {
        await this.#stage.sleep(hiddenMs)
        continue
      }
      const message = await this.#receive(consumer)
      if (!message) continue
      await handle(message, options).catch((error: unknown) => {
        if (!(error instanceof WorkFailed)) throw error
      })
      const asks = consumer.askedAtMs !== undefined || consumer.wakesAtMs.size > 0
      if (asks || consumer.isWorking || consumer.isRemoving) this.#stage.note(consumer.name, asks ? goesOn : notDone)
    }
  }

  #receive(consumer: Consumer): Promise<Delivery | undefined> {
    return this.#timed(
      (message) => (message ? 'receives the message' : 'receives nothing'),
      () => {
        if (this.#isRemoved || this.#stage.now < this.#visibleAtMs) return undefined
        if (this.#holder && isToBlame(this.#holder, this.#visibleAtMs)) this.#overlap ??= this.#deliveries + 1
        this.#holder = consumer
        this.#visibleAtMs = this.#stage.now + visibilityMs
        return { body: 'a text', receipt: String(++this.#deliveries) }
      },
    )
  }

  #optionsFor(consumer: Consumer): HandleOptions {
    const isCurrent = ({ receipt }: Delivery) => !this.#isRemoved && receipt === String(this.#deliveries)
    return {
      visibilityMs,
      queue: {
        extend: async (message, ms) => {
          consumer.askedAtMs = this.#stage.now
          const isRefused = await this.#timed(
            (refused) => (refused ? 'asks for more time: refused' : `asks for ${ms} ms more`),
            () => {
              consumer.askedAtMs = undefined
              if (!isCurrent(message)) return true
              this.#visibleAtMs = this.#stage.now + ms
              return false
            },
          )
          if (isRefused) throw new Error('the message was delivered again, or deleted')
        },
        remove: async (message) => {
          consumer.isRemoving = true
          await this.#timed('deletes the message', () => {
            consumer.isRemoving = false
            if (isCurrent(message)) this.#isRemoved = true
          })
        },
      },
      work: async () => {
        const fails = ++this.#attempts <= this.#failures
        consumer.isWorking = true
        this.#stage.note(consumer.name, 'begins the work')
        await this.#stage.sleep(workMs)
        consumer.isWorking = false
        this.#stage.note(consumer.name, fails ? 'fails' : 'has done the work')
        if (fails) throw new WorkFailed('the disk is full')
        this.#successes++
      },
      sleep: async (ms, options) => {
        const atMs = this.#stage.now + ms
        consumer.wakesAtMs.add(atMs)
        try {
          await this.#stage.sleep(ms, options)
        } finally {
          consumer.wakesAtMs.delete(atMs)
        }
      },
    }
  }

  /** A step whose text ends with the time. */
  #timed<Result>(what: string | ((result: Result) => string), act: () => Result): Promise<Result> {
    const text = (result: Result) => `${typeof what === 'string' ? what : what(result)} (at ${this.#stage.now} ms)`
    return this.#stage.step(text, act)
  }

  #check({ history, threw }: Ended): Fault | undefined {
    const steps = storyOf(history)
    for (const [who, error] of threw) {
      const { message, stack } = error instanceof Error ? error : new Error(String(error))
      const own = steps.filter((step) => step.who === who).slice(-longestHistory)
      return { says: `${who} throws: ${message}`, history: own, line: lineIn(stack) }
    }
    return this.#deliveredAgain(steps) ?? unfinished(steps) ?? this.#hidden(steps) ?? this.#undone(steps)
  }

  #deliveredAgain(steps: readonly Step[]): Fault | undefined {
    if (this.#overlap === undefined) return undefined
    return {
      says: 'The message is delivered again while its worker still works on it.',
      history: untilDelivery(this.#overlap, steps),
      why: 'Its worker did not ask for more time before the visibility timeout was over.',
    }
  }

  #hidden(steps: readonly Step[]): Fault | undefined {
    if (this.#hiddenTooLongMs === undefined) return undefined
    const death = steps.findIndex(({ what }) => what === 'is killed')
    return {
      says: `The message stays hidden for ${this.#hiddenTooLongMs} ms after its worker has died.`,
      history: steps.slice(0, death + 2).slice(-longestHistory),
      line: steps.slice(0, death).findLast(({ what }) => what.startsWith('asks'))?.line,
      why: 'A long timeout is no substitute for asking again: nobody else gets the message when the worker dies.',
    }
  }

  /** Work that was not done, or was not the reason for the deletion. */
  #undone(steps: readonly Step[]): Fault | undefined {
    if (this.#attempts === 0) {
      return { says: 'handle returns without having done the work.', history: untilDelivery(1, steps) }
    }
    if (!this.#isRemoved) {
      const history = untilDelivery(this.#failures + 2, steps)
      const why = 'Only the worker can tell the queue that the work has been done.'
      return { says: 'The message is never deleted: it comes back again and again.', history, why }
    }
    if (this.#successes > 0) return undefined
    const fault = {
      history: steps.slice(-longestHistory),
      line: steps.findLast(({ what }) => what.startsWith('deletes'))?.line,
    }
    if (this.#failures > 0) {
      const why = 'A message that is deleted does not come back, and nobody tries again.'
      return { ...fault, says: 'The message is deleted although its work has failed.', why }
    }
    const why = 'Until the work is done, the message is its only record: nobody will do it if the worker dies.'
    return { ...fault, says: 'The work is lost: the message was deleted before the work was done.', why }
  }
}

/** Something of the reader's that goes on when handle has ended. */
function unfinished(steps: readonly Step[]): Fault | undefined {
  const at = steps.findIndex(({ what }) => what === goesOn || what === notDone)
  const history = steps.slice(0, at + 1).slice(-longestHistory)
  if (steps[at]?.what === goesOn) {
    const why = 'A message that is hidden again and again never comes back.'
    const line = history.findLast(({ what }) => what.startsWith('asks'))?.line
    return { says: 'handle has ended, and goes on asking for more time.', history, line, why }
  }
  if (at < 0) return undefined
  const why = 'A promise that nobody awaits goes on alone, and its error has nowhere to go.'
  return { says: 'handle has ended before its operation was done: an await is missing.', history, why }
}

/** The steps until the delivery with a number. */
function untilDelivery(number: number, steps: readonly Step[]): Step[] {
  const deliveries = steps.flatMap(({ what }, at) => (what.startsWith('receives') ? [at] : []))
  return steps.slice(0, (deliveries[number - 1] ?? steps.length) + 1).slice(-longestHistory)
}

/** Whether a worker that works has let the timeout pass: it is alive, and has not asked before the timeout was over. */
const isToBlame = (
  { isWorking, isDead, askedAtMs = Number.POSITIVE_INFINITY, wakesAtMs }: Consumer,
  visibleAtMs: number,
) => isWorking && !isDead && Math.min(askedAtMs, ...wakesAtMs) >= visibleAtMs

/** A history without the passing of time. */
const storyOf = (history: readonly Step[]): Step[] =>
  history.filter(({ what }) => !what.startsWith('has waited') && !what.startsWith('receives nothing'))
