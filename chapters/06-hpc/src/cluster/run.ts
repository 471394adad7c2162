/**
 * A run: one job, or one array of jobs, from its submission to its results. The client may be killed at any moment, and
 * another one resumes where it stopped.
 *
 * A manifest in a local folder says what was done. Every step is written down before it is taken, and can be taken
 * twice: files are copied only where they differ, and a job with one name in one folder is submitted only once
 * (cluster.ts). So a new client reads the manifest and begins with the first step that is not marked as done.
 */
import { randomBytes } from 'node:crypto'
import { mkdir, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { checkpointFile } from '@repo/common/async/checkpoint'
import { until } from '@repo/common/async/until'
import { UsageError } from '@repo/common/example/usage'
import { howMany } from '@repo/common/output/terminal'
import { schedulerNames } from '@repo/practice-cluster/notation'
import { z } from 'zod'
import {
  hasEnded,
  type JobDescription,
  type JobState,
  jobFiles,
  jobStates,
  type SubmittedJob,
} from '../scheduler/job.ts'
import { CommandError } from '../ssh/errors.ts'
import { askUntil } from './ask-until.ts'
import type { Cluster } from './cluster.ts'

/**
 * The job to submit. Each attempt adds its own name and folder, and sets ATTEMPT, its number from 1, in the
 * environment.
 */
export type Plan = Omit<JobDescription, 'folder'>

export interface TaskRecord {
  /** Its number in the array; 0 for a single job. */
  task: number
  /** `waiting`: not yet submitted. */
  state: JobState | 'waiting'
  /** The number of the run's job that it is in, from 1. */
  attempt: number
  exitCode?: number | undefined
  signal?: string | undefined
  node?: string | undefined
  /** Why it waits or how it ended. */
  reason?: string | undefined
}

const manifestSchema = z.object({
  /** As the reader named it; undefined for a practice cluster, which nobody can come back to. */
  host: z.string().optional(),
  scheduler: z.enum(schedulerNames),
  /** The absolute path of the run's folder on the cluster. */
  remote: z.string(),
  plan: z.custom<Plan>(),
  attempts: z.array(
    z.object({
      name: z.string(),
      tasks: z.array(z.number()),
      /** How the job differs from the plan. */
      changes: z.custom<Partial<Plan>>(),
      /** Undefined between the decision to submit and the scheduler's answer. */
      id: z.string().optional(),
    }),
  ),
  tasks: z.array(
    z.object({
      task: z.number(),
      state: z.enum(['waiting', ...jobStates]),
      attempt: z.number(),
      exitCode: z.number().optional(),
      signal: z.string().optional(),
      node: z.string().optional(),
      reason: z.string().optional(),
    }),
  ),
  /** For the program that made the run. */
  notes: z.record(z.string(), z.unknown()),
})
type Manifest = z.output<typeof manifestSchema>
type Attempt = Manifest['attempts'][number]

export interface RunOptions {
  /** The local folder of the manifest and the results; by default a new one among the repository's outputs. */
  folder?: string
  /** Files to put into the folder in which the tasks run, by name. */
  inputs?: Record<string, string | Uint8Array>
  /** Plain data that {@link findRun} returns. */
  notes?: Record<string, unknown>
}

export interface FollowOptions {
  signal?: AbortSignal | undefined
  /** Called after each poll. */
  onPoll?: (tasks: readonly TaskRecord[]) => unknown
  /** Time between polls; 500 ms. */
  everyMs?: number
}

/** The folder for all runs, in the account's home. */
const remoteRoot = 'distributed-computing-runs'

function newRunFolder(name: string): string {
  const id = `${name}-${randomBytes(4).toString('hex')}`
  return fileURLToPath(new URL(`../../../../out/06-hpc/runs/${id}`, import.meta.url))
}

/** Makes a run in a local folder. Nothing is done on the cluster before {@link Run.start}. */
export async function createRun(
  cluster: Cluster,
  plan: Plan,
  { folder = newRunFolder(plan.name), inputs = {}, notes = {} }: RunOptions = {},
): Promise<Run> {
  const inputFolder = join(folder, 'inputs')
  await mkdir(inputFolder, { recursive: true })
  for (const [name, content] of Object.entries(inputs)) await writeFile(join(inputFolder, name), content)
  const manifest: Manifest = {
    host: cluster.host,
    scheduler: cluster.dialect.name,
    attempts: [],
    notes,
    plan: { inputs: Object.keys(inputs), ...plan },
    remote: `${cluster.home}/${remoteRoot}/${plan.name}-${randomBytes(6).toString('hex')}`,
    tasks: (plan.array ?? [0]).map((task) => ({ task, state: 'waiting', attempt: 0 })),
  }
  await manifestFile(folder).save(manifest)
  return new Run(folder, cluster, manifest)
}

/**
 * Returns where a folder's run is, and its notes.
 *
 * @throws an Error if there is no run, or its manifest is damaged
 */
export async function findRun(folder: string) {
  const { host, scheduler, notes } = await loadManifest(folder)
  return { host, scheduler, notes }
}

/** The same for a reader's `--attach`. @throws a UsageError if the run cannot be continued */
export async function findRunToAttach(folder: string) {
  const { host, scheduler, notes } = await findRun(folder).catch((error: Error) => {
    throw new UsageError('--attach', folder, `the folder of a run; ${error.message}`)
  })
  if (host === undefined) throw new UsageError('--attach', folder, 'a run on a cluster; this practice cluster is gone')
  return { place: { host, scheduler }, notes }
}

/** Continues a run that another process began. {@link Run.start} is the next step. */
export async function attachRun(folder: string, cluster: Cluster): Promise<Run> {
  return new Run(folder, cluster, await loadManifest(folder))
}

const manifestFile = (folder: string) =>
  checkpointFile(join(folder, 'run'), {
    computation: 'a run of jobs',
    parse: (value) => manifestSchema.parse(value),
  })

async function loadManifest(folder: string): Promise<Manifest> {
  const { state, damaged } = await manifestFile(folder)
    .load()
    .catch((error: Error & { cause?: NodeJS.ErrnoException }) => {
      if (error.cause?.code === 'ENOENT') return { state: undefined, damaged: [] }
      throw error
    })
  if (state) return state
  throw new Error(damaged[0] ? `${damaged[0].file} cannot be used: ${damaged[0].why}` : `there is no run in ${folder}`)
}

export class Run {
  /** The local folder. */
  readonly folder: string
  readonly #cluster: Cluster
  readonly #manifest: Manifest
  readonly #file: ReturnType<typeof manifestFile>

  /** For {@link createRun} and {@link attachRun}. */
  constructor(folder: string, cluster: Cluster, manifest: Manifest) {
    this.folder = folder
    this.#cluster = cluster
    this.#manifest = manifest
    this.#file = manifestFile(folder)
  }

  /** The run's folder on the cluster. */
  get remote(): string {
    return this.#manifest.remote
  }

  get tasks(): readonly TaskRecord[] {
    return this.#manifest.tasks
  }

  /** How many tasks have been submitted more than once. */
  get resubmitted(): number {
    const [, ...later] = this.#manifest.attempts
    return new Set(later.flatMap(({ tasks }) => tasks)).size
  }

  /** The ids of the run's jobs, in the order of their submission. */
  get ids(): string[] {
    return this.#manifest.attempts.flatMap(({ id }) => id ?? [])
  }

  /** Copies the inputs to the cluster and submits what is not yet submitted, even if another process had begun this. */
  async start(signal?: AbortSignal): Promise<void> {
    const { connection } = this.#cluster
    const { attempts, remote, tasks } = this.#manifest
    if (this.ids.length === 0) {
      await connection.mkdir(remote, { signal })
      await connection.upload(join(this.folder, 'inputs'), remote, { signal })
    }
    if (attempts.length === 0) {
      await this.#decide(
        tasks.map(({ task }) => task),
        {},
      )
    }
    for (const attempt of attempts) if (attempt.id === undefined) await this.#submit(attempt)
  }

  /**
   * Submits tasks that have ended again, as one job.
   *
   * @param changes how the job differs from the plan
   */
  async resubmit(tasks: readonly number[], changes: Partial<Plan> = {}): Promise<void> {
    await this.#submit(await this.#decide(tasks, changes))
  }

  // #region decide
  /** Writes down which tasks will be submitted, and the name of their job. */
  async #decide(tasks: readonly number[], changes: Partial<Plan>): Promise<Attempt> {
    const { attempts, plan } = this.#manifest
    const attempt: Attempt = { name: `${plan.name}-${attempts.length + 1}`, tasks: [...tasks], changes }
    attempts.push(attempt)
    const chosen = new Set(tasks)
    this.#manifest.tasks = this.#manifest.tasks.map((record) =>
      chosen.has(record.task) ? { task: record.task, state: 'waiting', attempt: attempts.length } : record,
    )
    await this.#file.save(this.#manifest)
    return attempt
  }
  // #endregion decide

  async #submit(attempt: Attempt): Promise<void> {
    const { plan, attempts, remote } = this.#manifest
    const { id } = await this.#cluster.submit({
      ...plan,
      ...attempt.changes,
      name: attempt.name,
      folder: remote,
      environment: {
        ...plan.environment,
        ...attempt.changes.environment,
        ATTEMPT: String(attempts.indexOf(attempt) + 1),
      },
      ...(plan.array && { array: attempt.tasks }),
    })
    attempt.id = id
    for (const record of this.#recordsOf(attempt)) record.state = 'queued'
    await this.#file.save(this.#manifest)
  }

  /** Asks once for the states of all tasks, with one command for any number of them. */
  async poll(): Promise<readonly TaskRecord[]> {
    const open = this.#manifest.attempts.filter((attempt) => this.#recordsOf(attempt).some((record) => !isOver(record)))
    const statuses = await this.#cluster.poll(open.flatMap((attempt) => this.#jobOf(attempt) ?? []))
    const known = new Map(statuses.map((status) => [`${status.id} ${status.task ?? 0}`, status]))
    for (const attempt of open) {
      for (const record of this.#recordsOf(attempt)) {
        const status = known.get(`${attempt.id} ${record.task}`)
        if (!status || isOver(record)) continue
        const { state, exitCode, signal, node, reason } = status
        Object.assign(record, { state, exitCode, signal, node: node ?? record.node, reason })
      }
    }
    await this.#file.save(this.#manifest)
    return this.tasks
  }

  /** Polls until every task has ended. */
  async follow({ signal, onPoll, everyMs = 500 }: FollowOptions = {}): Promise<readonly TaskRecord[]> {
    const isLast = async (tasks: readonly TaskRecord[]) => {
      await onPoll?.(tasks)
      return tasks.every(isOver)
    }
    return await askUntil(() => this.poll(), isLast, { signal, everyMs })
  }

  /**
   * Follows all tasks, and submits failed ones again, until all have completed.
   *
   * @param attempts the number of times that a task is tried
   * @throws an Error with the last output of a task that failed each time
   */
  async complete({ attempts, ...options }: FollowOptions & { attempts: number }): Promise<void> {
    for (let attempt = 1; ; attempt++) {
      const failed = (await this.follow(options)).filter(({ state }) => state !== 'completed')
      const [first] = failed
      if (!first) return
      if (attempt === attempts) {
        const log = (await this.lastLines([first])).get(first.task)
        const share = `${failed.length} of ${howMany(this.tasks.length, 'task')} failed ${howMany(attempts, 'time')}`
        throw new Error(`${share}; task ${first.task}: ${first.state} ${log}`)
      }
      await this.resubmit(failed.map(({ task }) => task))
    }
  }

  /**
   * The last lines that tasks printed on both streams, by task number. Takes one command for any number of tasks.
   */
  async lastLines(tasks: readonly TaskRecord[]): Promise<Map<number, string>> {
    const { attempts, plan, remote } = this.#manifest
    const files = tasks.flatMap(({ task, attempt }) => {
      const { out, err } = jobFiles(attempts[attempt - 1]?.name ?? '', plan.array ? task : undefined)
      return [out, err]
    })
    if (files.length === 0) return new Map()
    const mark = '--8<--'
    const script = `for file; do tail -n 20 "$file" 2>/dev/null; echo; echo '${mark}'; done`
    const text = await this.#cluster.connection.output(['sh', '-c', script, 'sh', ...files], {
      cwd: remote,
      repeatable: true,
    })
    const parts = text.split(`${mark}\n`)
    return new Map(tasks.map(({ task }, at) => [task, `${parts[2 * at]}${parts[2 * at + 1]}`.trim()]))
  }

  /** Copies files from the run's folder on the cluster to the local folder `results`, and returns that folder. */
  async fetch(names: readonly string[], signal?: AbortSignal): Promise<string> {
    const results = join(this.folder, 'results')
    await mkdir(results, { recursive: true })
    if (names.length > 0) {
      await this.#cluster.connection.download(this.#manifest.remote, results, { only: names, signal })
    }
    return results
  }

  /** Cancels all jobs that have not ended. */
  async cancel(): Promise<void> {
    for (const attempt of this.#manifest.attempts) {
      const job = this.#jobOf(attempt)
      if (!job || this.#recordsOf(attempt).every(isOver)) continue
      await this.#cluster.cancel(job).catch((error: unknown) => {
        // The job may have ended in the meantime.
        if (!(error instanceof CommandError)) throw error
      })
    }
  }

  /**
   * Cancels and removes everything after an error.
   *
   * @param keep an error after which the run stays for another client, unless nobody could come back to it, the
   *   scheduler has refused the job, or the reader has given up
   */
  async abandon(signal: AbortSignal, { keep }: { keep?: unknown } = {}): Promise<void> {
    const isRefused = keep instanceof CommandError && this.ids.length === 0
    if (keep && !signal.aborted && !isRefused && this.#manifest.host !== undefined) return
    await this.cancel()
    // A task that is being killed may still write into the folder, so wait a little for its end.
    const isEnded = async () => (await this.poll()).every((record) => isOver(record) || record.state === 'waiting')
    await until(isEnded, { timeoutMs: 5_000, everyMs: 100 }).catch(() => {})
    await until(() => this.remove().then(() => true), { timeoutMs: 10_000, everyMs: 100 })
  }

  /** Removes the run's folders, on the cluster and here. */
  async remove(): Promise<void> {
    const { connection, home } = this.#cluster
    await connection.remove(this.#manifest.remote)
    // Fails, as it should, while the folder contains other runs.
    await connection.run(['rmdir', `${home}/${remoteRoot}`], { repeatable: true })
    await rm(this.folder, { recursive: true, force: true })
  }

  #jobOf({ id, name, tasks }: Attempt): SubmittedJob | undefined {
    const { plan, remote } = this.#manifest
    return id === undefined ? undefined : { id, name, folder: remote, ...(plan.array && { array: tasks }) }
  }

  /** The records of the tasks that are currently in this attempt. */
  #recordsOf(attempt: Attempt): Manifest['tasks'] {
    const number = this.#manifest.attempts.indexOf(attempt) + 1
    return this.#manifest.tasks.filter((record) => record.attempt === number)
  }
}

const isOver = ({ state }: TaskRecord) => state !== 'waiting' && hasEnded(state)
