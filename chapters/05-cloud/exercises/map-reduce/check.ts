/** Two workers and a driver under every schedule; a job is delivered twice, and a worker may be killed. */
import { type Ended, type Play, type Stage, underEverySchedule } from '@repo/exercises/actors'
import { exercise, type Fault, longestHistory, type Step } from '@repo/exercises/exercise'
import { declaredAt } from '@repo/exercises/line'

export interface Job {
  id: string
  text: string
}

/** How often each word occurs. */
export type Counts = Map<string, number>

/** What a worker can do. */
export interface Worker {
  /** Counts the words of a text. */
  count: (text: string) => Counts
  /** Stores counts in the bucket, in place of what was there under this id. */
  put: (id: string, counts: Counts) => Promise<void>
  /** Tells the driver that a job is done. */
  report: (id: string) => Promise<void>
}

/** What the driver can do. */
export interface Driver {
  /** Takes a report, and returns the id of its job. Waits while there is none. */
  nextReport: () => Promise<string>
  /** Returns what is in the bucket under an id; nothing if there is nothing. */
  get: (id: string) => Promise<Counts>
}

type Solution = typeof import('./exercise.ts')

const jobs: readonly Job[] = [
  { id: '1', text: 'tick tick clock' },
  { id: '2', text: 'tock clock' },
]
const expected: Counts = new Map([
  ['tick', 2],
  ['tock', 1],
  ['clock', 2],
])

export default exercise<Solution>({
  check: async (solution, { signal }) =>
    await underEverySchedule((stage) => new Cluster(stage).play(solution), {
      mostDeviations: 2,
      mostRuns: 300,
      signal,
    }),
})

function count(text: string): Counts {
  const counts: Counts = new Map()
  for (const word of text.split(' ')) counts.set(word, (counts.get(word) ?? 0) + 1)
  return counts
}

class Cluster {
  readonly #stage: Stage
  /** What is to be delivered: job 1 twice, as to a worker that only seemed dead and to another. */
  readonly #deliveries = [...jobs, ...jobs.slice(0, 1)]
  /** What each worker is doing. */
  readonly #held = new Map<string, Job>()
  readonly #bucket = new Map<string, Counts>()
  readonly #reports: string[] = []
  #giveReport: ((id: string) => void) | undefined

  constructor(stage: Stage) {
    this.#stage = stage
  }

  play({ work, reduce }: Solution): Play {
    const worker = (name: string) => () => this.#work(name, work)
    return {
      actors: {
        'worker 1': worker('worker 1'),
        'worker 2': worker('worker 2'),
        driver: async () => await reduce(jobs, this.#driver()),
      },
      mortal: ['worker 1', 'worker 2'],
      successor: (killed) => {
        const job = this.#held.get(killed)
        if (job) this.#deliveries.unshift(job)
        return worker(`${killed}′`)
      },
      check: (ended) => this.#check(ended),
    }
  }

  async #work(name: string, work: Solution['work']): Promise<void> {
    const stage = this.#stage
    const options: Worker = {
      count,
      put: (id, counts) =>
        stage.step(`stores the counts of job ${id}`, () => {
          this.#bucket.set(id, new Map(counts))
        }),
      report: async (id) => {
        await stage.step(
          (give) => `reports job ${id}${give ? ', to the driver' : ''}`,
          () => {
            const give = this.#giveReport
            this.#giveReport = undefined
            if (give) give(id)
            else this.#reports.push(id)
            return give
          },
        )
      },
    }
    while (this.#deliveries.length > 0) {
      const job = await stage.step(
        (taken: Job | undefined) => (taken ? `gets job ${taken.id}` : 'gets no job'),
        () => {
          const next = this.#deliveries.shift()
          if (next) this.#held.set(name, next)
          return next
        },
      )
      if (!job) return
      await work(job, options)
      this.#held.delete(name)
    }
  }

  #driver(): Driver {
    const stage = this.#stage
    return {
      nextReport: async () => {
        const later = Promise.withResolvers<string>()
        const id = await stage.step(
          (next: string | undefined) => (next === undefined ? 'waits for a report' : `gets the report of job ${next}`),
          () => {
            const next = this.#reports.shift()
            if (next === undefined) this.#giveReport = later.resolve
            return next
          },
        )
        return id ?? (await later.promise)
      },
      get: (id) =>
        stage.step(
          (counts) => (counts.size > 0 ? `reads the counts of job ${id}` : `reads nothing of job ${id}`),
          () => new Map(this.#bucket.get(id)),
        ),
    }
  }

  #check({ returned, stuck, history }: Ended): Fault | undefined {
    const tooEarly = history.findIndex(({ what }) => what.startsWith('reads nothing'))
    if (tooEarly >= 0) {
      return {
        says: `Job ${history[tooEarly]?.what.at(-1)} is reported, and its counts are not in the bucket.`,
        history: storyOf(history.slice(0, tooEarly + 1)),
        line: history.findLast(({ what }) => what.startsWith('reports'))?.line,
        why: 'A report may arrive at once, and its worker may die right after it: report only what is already stored.',
      }
    }
    const counts = returned.get('driver')
    for (const { id, text } of jobs) {
      const [word = ''] = text.split(' ')
      const received = counts instanceof Map ? Number(counts.get(word) ?? 0) : 0
      if (counts !== undefined && received === expected.get(word)) continue
      const isReported = history.some(({ what }) => what.startsWith(`reports job ${id}`))
      const fault = {
        history: storyOf(history),
        ...(counts instanceof Map && { expected: countsText(expected), received: countsText(counts) }),
      }
      if (!isReported && history.every(({ what }) => !what.startsWith('reports'))) {
        return { ...fault, says: `Job ${id} is delivered to a worker, and never reported.` }
      }
      if (stuck.includes('driver')) return { ...fault, says: 'reduce waits for ever: every job has been reported.' }
      if (received > (expected.get(word) ?? 0)) {
        const why = 'A job that is delivered twice may be reported twice, but its counts are to be added once.'
        return { ...fault, history: storyOf(history, id), says: `Job ${id} is counted twice.`, why }
      }
      const why = 'The number of reports proves nothing: two of them may be about the same job.'
      // What the workers do after the driver has ended has no part in it.
      const end = history.findLastIndex(isAboutDriver)
      const line = history.findLast(({ who, what }) => who === 'driver' && what.includes('report'))?.line
      return {
        ...fault,
        history: storyOf(history.slice(0, end + 1)),
        line,
        says: `Job ${id} is missing from the counts.`,
        why,
      }
    }
    const received = countsText(counts as Counts)
    if (received === countsText(expected)) return undefined
    const says = 'A word that occurs in two texts is not counted in both.'
    const fault = { says, expected: countsText(expected), received, line: declaredAt('reduce') }
    return { ...fault, history: storyOf(history) }
  }
}

const isAboutDriver = ({ who, what }: Step) => who === 'driver' || what.endsWith('to the driver')

const countsText = (counts: ReadonlyMap<unknown, unknown>) =>
  [...counts]
    .map(([word, times]) => `${String(word)} ${String(times)}`)
    .sort()
    .join(', ') || 'nothing'

/** The last steps of a history, or those about one job. */
const storyOf = (history: readonly Step[], job?: string): Step[] =>
  history
    .filter(
      ({ what }) =>
        !/no job|waits/.test(what) && (job === undefined || what === 'is killed' || what.includes(`job ${job}`)),
    )
    .slice(-longestHistory)
