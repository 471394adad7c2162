/**
 * Jobs that wait for each other. HTCondor has a job for that, DAGMan, which submits the others as their parents succeed;
 * the other schedulers are told with each job which ones it waits for.
 */
import { posix } from 'node:path'
import { dagFile, pollDag, submitDag } from '../scheduler/htcondor.ts'
import { hasEnded, type JobDescription, type JobState, type JobStatus, type SubmittedJob } from '../scheduler/job.ts'
import { CommandError } from '../ssh/errors.ts'
import { askUntil } from './ask-until.ts'
import type { Cluster } from './cluster.ts'

export interface DagJob {
  /** The job; its dependencies are `parents`. */
  job: Omit<JobDescription, 'dependencies' | 'folder' | 'array'>
  /** The names of the jobs that must have succeeded. */
  parents: string[]
}

/** What was seen of one job; times in ms from the beginning. */
export interface DagRecord {
  name: string
  parents: string[]
  /** Undefined for a job that was never submitted. */
  id?: string
  state: JobState
  exitCode?: number
  node?: string
  reason?: string
  startedMs?: number
  endedMs?: number
}

export interface DagOptions {
  folder: string
  signal: AbortSignal
  /** Between two looks; 300 ms. */
  pollMs?: number
  onChange?: (records: readonly DagRecord[]) => void
}

/** Submits all of them and follows them to the end of the last one; aborted, it cancels what has not ended. */
export async function runDag(cluster: Cluster, jobs: readonly DagJob[], options: DagOptions): Promise<DagRecord[]> {
  const { signal, pollMs = 300, onChange } = options
  const begun = performance.now()
  const records: DagRecord[] = jobs.map(({ job, parents }) => ({ name: job.name, parents, state: 'queued' }))
  const dag =
    cluster.dialect.name === 'htcondor'
      ? await byDagman(cluster, jobs, options)
      : await byDependencies(cluster, jobs, options)
  try {
    const isLast = async (seen: Map<string, JobStatus>) => {
      if (update(records, seen, performance.now() - begun)) onChange?.(records)
      // Some schedulers let a job wait for ever for what can no longer come.
      for (const record of records) {
        const lost = jobs.some(({ job }) => record.parents.includes(job.name) && hasFailed(records, job.name))
        if (lost && record.id && !hasEnded(record.state)) await dag.giveUp(record.name)
      }
      return records.every(({ state }) => hasEnded(state))
    }
    await askUntil(dag.poll, isLast, { signal, everyMs: pollMs })
    return records
  } catch (error) {
    await dag.cancel()
    throw error
  }
}

const hasFailed = (records: readonly DagRecord[], name: string) =>
  records.some((record) => record.name === name && hasEnded(record.state) && record.state !== 'completed')

function update(records: DagRecord[], seen: ReadonlyMap<string, JobStatus>, ms: number): boolean {
  let changed = false
  for (const record of records) {
    const status = seen.get(record.name)
    if (status?.id) record.id = status.id
    if (!status || status.state === record.state || hasEnded(record.state)) continue
    changed = true
    const { state, exitCode, node, reason } = status
    Object.assign(record, { state, exitCode, node: node ?? record.node, reason })
    // Between two looks it may have begun and ended.
    const hasRun = state === 'running' || (hasEnded(state) && exitCode !== undefined)
    if (hasRun) record.startedMs ??= ms
    if (hasEnded(state)) record.endedMs = ms
  }
  return changed
}

interface Dag {
  /** By the jobs' names. */
  poll: () => Promise<Map<string, JobStatus>>
  giveUp: (name: string) => Promise<void>
  cancel: () => Promise<void>
}

async function byDependencies(cluster: Cluster, jobs: readonly DagJob[], { folder }: DagOptions): Promise<Dag> {
  const submitted = new Map<string, SubmittedJob>()
  const given = new Set<string>()
  const cancel = async () => {
    for (const job of submitted.values()) await cluster.cancel(job).catch(ignoreGone)
  }
  try {
    for (const { job, parents } of jobs) {
      const dependencies = parents.map((name) => ({ on: submitted.get(name)?.id ?? '', when: 'ok' as const }))
      // Those at the beginning are held until all are there: a job that has ended can no longer be waited for everywhere.
      const hold = parents.length === 0
      submitted.set(
        job.name,
        await cluster.submit({ ...job, folder, hold, ...(parents.length > 0 && { dependencies }) }),
      )
    }
    for (const { job, parents } of jobs) {
      const own = submitted.get(job.name)
      if (own && parents.length === 0) await cluster.release(own)
    }
  } catch (error) {
    await cancel()
    throw error
  }
  const names = new Map([...submitted].map(([name, { id }]) => [id, name]))
  return {
    async poll() {
      const statuses = await cluster.poll([...submitted.values()])
      return new Map(
        statuses.map((status) => {
          const name = names.get(status.id) ?? ''
          const isEnd = given.has(name) && (hasEnded(status.state) || status.state === 'unknown')
          return [name, isEnd ? { ...status, state: 'cancelled', reason: 'what it waited for has failed' } : status]
        }),
      )
    },
    async giveUp(name) {
      const job = submitted.get(name)
      if (!job || given.has(name)) return
      given.add(name)
      await cluster.cancel(job).catch(ignoreGone)
    },
    cancel,
  }
}

async function byDagman(cluster: Cluster, jobs: readonly DagJob[], { folder, signal }: DagOptions): Promise<Dag> {
  const { connection, dialect } = cluster
  const file = 'jobs.dag'
  const nodes = jobs.map(({ job, parents }) => ({ name: job.name, file: `${job.name}.sub`, parents }))
  const files = jobs.flatMap(({ job }) => dialect.files({ ...job, folder }))
  await connection.mkdir(folder, { signal })
  for (const { name, text, executable } of [...files, { name: file, text: dagFile(nodes), executable: false }]) {
    await connection.writeFile(posix.join(folder, name), text, { mode: executable ? 0o755 : 0o644, signal })
  }
  const id = await cluster.ask(submitDag(file), { cwd: folder, repeatable: false })
  cluster.commands.submit++
  const question = pollDag(id)
  return {
    async poll() {
      cluster.commands.poll++
      const statuses = await cluster.ask(question)
      const seen = new Map<string, JobStatus>(
        statuses.flatMap((status) => (status.dagNode ? [[status.dagNode, status]] : [])),
      )
      const dagman = statuses.find((status) => status.id === id)
      if (dagman && hasEnded(dagman.state)) {
        const reason = `DAGMan has ended with ${dagman.exitCode ?? dagman.state} and not submitted it`
        for (const { job } of jobs) if (!seen.has(job.name)) seen.set(job.name, { id: '', state: 'cancelled', reason })
      }
      return seen
    },
    giveUp: async () => {},
    cancel: async () => void (await connection.output(['condor_rm', id], { repeatable: true }).catch(ignoreGone)),
  }
}

/** What has ended cannot be cancelled, and need not be. */
function ignoreGone(error: unknown) {
  if (!(error instanceof CommandError)) throw error
}
