/** A client that submits a job, in virtual time: the connection breaks once, and the client may be killed. */
import { type Ended, type Stage, underEverySchedule } from '@repo/exercises/actors'
import { exercise, type Fault, longestHistory } from '@repo/exercises/exercise'
import { merged, upTo } from '@repo/exercises/history'
import { declaredAt } from '@repo/exercises/line'

type Solution = typeof import('./exercise.ts')

/** The answer to a command. If it is lost, the command may have been carried out, or not. */
export type Answer<Result> = { result: Result } | { lost: true }

/** A cluster at the other end of a connection. */
export interface Cluster {
  /** Submits a job. The answer is its id. */
  sbatch(name: string): Promise<Answer<string>>
  /** The answer is the id of a job of this name, if one is listed. A job stays in the list. */
  squeue(name: string): Promise<Answer<string | undefined>>
}

export interface Clock {
  /** The time in ms. */
  now(): number
  sleep(ms: number): Promise<void>
}

const jobName = 'study-1'
const appearsWithinMs = 1_000
/** A job of this cluster takes this long to be listed. */
const appearsAfterMs = 900

interface Job {
  id: string
  name: string
  listedMs: number
  /** How often somebody had looked for a job before this one was submitted. */
  looks: number
  /** How often the answer to that was lost. */
  lostLooks: number
}

function newCluster(stage: Stage) {
  const jobs: Job[] = []
  /** Resolved at the first sbatch, and after a client was killed at the first squeue and at the first one that is late. */
  const moments = {
    start: Promise.withResolvers<void>(),
    sbatch: Promise.withResolvers<void>(),
    'squeue of another client': Promise.withResolvers<void>(),
    'late squeue of another client': Promise.withResolvers<void>(),
  }
  moments.start.resolve()
  let killedMs: number | undefined
  /** How often the connection was lost. */
  let breaks = 0
  let looks = 0
  let lostLooks = 0
  const cluster: Cluster = {
    async sbatch(name) {
      moments.sbatch.resolve()
      const before = breaks
      const id = await stage.step(
        (given: string | undefined) =>
          given === undefined ? 'sbatch: does not arrive' : `sbatch: is job ${given} (at ${stage.now} ms)`,
        () => {
          if (breaks !== before) return undefined
          const job = { id: String(jobs.length + 1), name, listedMs: stage.now + appearsAfterMs, looks, lostLooks }
          jobs.push(job)
          return job.id
        },
      )
      return await stage.step(
        (answer: Answer<string>) => ('result' in answer ? `hears: job ${answer.result}` : 'hears nothing'),
        () => (id === undefined || breaks !== before ? { lost: true } : { result: id }),
      )
    },
    async squeue(name) {
      if (killedMs !== undefined) moments['squeue of another client'].resolve()
      if (killedMs !== undefined && stage.now >= killedMs + appearsWithinMs) {
        moments['late squeue of another client'].resolve()
      }
      const before = breaks
      return await stage.step(
        (answer: Answer<string | undefined>) =>
          'result' in answer
            ? `squeue: ${answer.result ? `job ${answer.result}` : 'not listed'}`
            : 'squeue: hears nothing',
        () => {
          if (breaks !== before) {
            lostLooks++
            return { lost: true } as const
          }
          looks++
          return { result: jobs.find((job) => job.name === name && job.listedMs <= stage.now)?.id }
        },
      )
    },
  }
  return {
    jobs,
    cluster,
    moments,
    clientIsKilled() {
      killedMs = stage.now
    },
    break: () =>
      stage.step('breaks', () => {
        breaks++
      }),
  }
}

type Moment = keyof ReturnType<typeof newCluster>['moments']

/** @param from until when the connection holds */
const oneClient = async ({ submitOnce }: Solution, from: Moment, signal: AbortSignal) =>
  await underEverySchedule(
    (stage) => {
      const { jobs, cluster, moments, clientIsKilled, break: breakConnection } = newCluster(stage)
      const clock: Clock = { now: () => stage.now, sleep: (ms) => stage.sleep(ms) }
      const client = () => submitOnce(cluster, jobName, { clock, appearsWithinMs })
      async function connection() {
        await moments[from].promise
        await breakConnection()
      }
      return {
        actors: { client, connection },
        mortal: ['client'],
        successor() {
          clientIsKilled()
          return client
        },
        check(ended) {
          const fault = faultOf(ended, jobs)
          const steps = ended.history.filter(({ what }) => !what.startsWith('has waited'))
          const isLast = jobs.length > 1 ? ({ what }: { what: string }) => what.startsWith('sbatch: is') : () => true
          return fault && { ...fault, history: merged(upTo(steps, isLast)).slice(-longestHistory) }
        },
      }
    },
    { mostDeviations: 2, mostRuns: 400, signal },
  )

export default exercise<Solution>({
  async check(solution, { signal }) {
    for (const from of ['sbatch', 'start', 'squeue of another client', 'late squeue of another client'] as const) {
      const fault = await oneClient(solution, from, signal)
      if (fault) return fault
    }
    return undefined
  },
})

function faultOf({ returned, killed }: Ended, jobs: readonly Job[]): Fault | undefined {
  const [first, second] = jobs
  if (first === undefined)
    return { says: 'submitOnce returns, and no job was submitted.', line: declaredAt('submitOnce') }
  if (jobs.some(({ name }) => name !== jobName))
    return {
      says: 'A job has another name than the one that was given.',
      expected: jobName,
      received: jobs.map(({ name }) => name).join(', '),
    }
  if (second !== undefined) {
    if (second.lostLooks > first.lostLooks) {
      const why = 'A lost answer to squeue does not say that there is no such job.'
      return { says: 'The job is submitted twice: a lost answer was taken for an empty list.', why }
    }
    if (second.looks > first.looks) {
      const why = `A job may need up to ${appearsWithinMs} ms to be listed: until then an empty list says nothing.`
      return { says: 'The job is submitted twice: the first one was not listed yet.', why }
    }
    if (killed.length > 0) {
      const why = 'A client that begins does not know what was done before it.'
      return { says: 'The job is submitted twice: the client that was killed had submitted it.', why }
    }
    return {
      says: 'The job is submitted twice: only the answer to the first sbatch was lost.',
      why: 'A lost answer does not say whether the command was carried out.',
    }
  }
  for (const who of ['client', 'client′']) {
    const id = returned.get(who)
    if (returned.has(who) && id !== first.id)
      return { says: 'submitOnce returns an id that no job has.', expected: first.id, received: String(id) }
  }
  return undefined
}
