/**
 * Graphs of jobs that wait for each other. For Slurm, PBS and Torque each submission names the jobs to wait for.
 * HTCondor has DAGMan, a job that submits the other jobs once their parents have succeeded.
 */
import { posix } from 'node:path'
import { palette } from '@repo/common/output/plots'
import { timeline } from '@repo/common/output/timeline'
import { dagFile, pollDag, submitDag } from '../scheduler/htcondor.ts'
import { hasEnded, type JobDescription, type JobState, type JobStatus, type SubmittedJob } from '../scheduler/job.ts'
import type { SubmitFile } from '../scheduler/scheduler.ts'
import { CommandError } from '../ssh/errors.ts'
import { askUntil } from './ask-until.ts'
import type { Cluster } from './cluster.ts'
import type { WorkFolder } from './work-folder.ts'

/** The names of the jobs that have to succeed before each job. */
export type Parents = Readonly<Record<string, readonly string[]>>

/** The jobs of a graph that has been submitted. */
export interface Dag {
  /** The jobs' states, by their names. */
  poll: () => Promise<Map<string, JobStatus>>
  /** Cancels a job whose parents have failed. */
  giveUp: (name: string) => Promise<void>
}

/** What was observed of a job. Times are in ms from the beginning. */
export interface DagRecord {
  name: string
  parents: readonly string[]
  /** Undefined for a job that was never submitted. */
  id?: string
  state: JobState
  exitCode?: number
  node?: string
  reason?: string
  startedMs?: number
  endedMs?: number
}

/** A graph of jobs that were submitted with their dependencies, by name. */
export function dependentJobs(cluster: Cluster, jobs: Readonly<Record<string, SubmittedJob>>): Dag {
  const names = new Map(Object.entries(jobs).map(([name, { id }]) => [id, name]))
  const given = new Set<string>()
  return {
    async poll() {
      const statuses = await cluster.poll(Object.values(jobs))
      return new Map(
        statuses.map((status) => {
          const name = names.get(status.id) ?? ''
          const isEnd = given.has(name) && (hasEnded(status.state) || status.state === 'unknown')
          return [name, isEnd ? { ...status, state: 'cancelled', reason: 'what it waited for has failed' } : status]
        }),
      )
    },
    async giveUp(name) {
      const job = jobs[name]
      if (!job || given.has(name)) return
      given.add(name)
      await cluster.cancel(job).catch((error: unknown) => {
        // The job may have ended in the meantime.
        if (!(error instanceof CommandError)) throw error
      })
    },
  }
}

/** Submits a graph of jobs to DAGMan. */
export async function submitToDagman(
  cluster: Cluster,
  folder: WorkFolder,
  jobs: readonly JobDescription[],
  parents: Parents,
): Promise<Dag> {
  const nodes = jobs.map(({ name }) => ({ name, file: `${name}.sub`, parents: parents[name] ?? [] }))
  const files: SubmitFile[] = [...jobs.flatMap(cluster.dialect.files), { name: 'jobs.dag', text: dagFile(nodes) }]
  for (const { name, text, executable } of files) {
    await cluster.connection.writeFile(posix.join(folder.path, name), text, { mode: executable ? 0o755 : 0o644 })
  }
  const id = await cluster.ask(submitDag('jobs.dag'), { cwd: folder.path, repeatable: false })
  cluster.commands.submit++
  folder.cancelAtTheEnd({ id, name: 'jobs.dag', folder: folder.path })
  return {
    async poll() {
      cluster.commands.poll++
      const statuses = await cluster.ask(pollDag(id))
      const seen = new Map<string, JobStatus>(
        statuses.flatMap((status) => (status.dagNode ? [[status.dagNode, status]] : [])),
      )
      const dagman = statuses.find((status) => status.id === id)
      if (dagman && hasEnded(dagman.state)) {
        const reason = `DAGMan has ended with ${dagman.exitCode ?? dagman.state} and not submitted it`
        for (const { name } of jobs) if (!seen.has(name)) seen.set(name, { id: '', state: 'cancelled', reason })
      }
      return seen
    },
    // DAGMan never submits a job whose parents have failed.
    giveUp: async () => {},
  }
}

const pollMs = 300

/** Follows the jobs of a graph until all have ended. */
export async function followDag(
  dag: Dag,
  parents: Parents,
  { signal, onChange }: { signal: AbortSignal; onChange?: (records: readonly DagRecord[]) => void },
): Promise<DagRecord[]> {
  const begun = performance.now()
  const records = Object.entries(parents).map(([name, own]): DagRecord => ({ name, parents: own, state: 'queued' }))
  const hasFailed = ({ state }: DagRecord) => hasEnded(state) && state !== 'completed'
  const isLast = async (seen: Map<string, JobStatus>) => {
    if (update(records, seen, performance.now() - begun)) onChange?.(records)
    // Some schedulers let a job wait for ever for a condition that can no longer come true.
    const failed = new Set(records.filter(hasFailed).map(({ name }) => name))
    for (const { name, id, state, parents: own } of records) {
      if (id && !hasEnded(state) && own.some((parent) => failed.has(parent))) await dag.giveUp(name)
    }
    return records.every(({ state }) => hasEnded(state))
  }
  await askUntil(dag.poll, isLast, { signal, everyMs: pollMs })
  return records
}

/** Updates the records. Returns whether a state has changed. */
function update(records: DagRecord[], seen: ReadonlyMap<string, JobStatus>, ms: number): boolean {
  let changed = false
  for (const record of records) {
    const status = seen.get(record.name)
    if (status?.id) record.id = status.id
    if (!status || status.state === record.state || hasEnded(record.state)) continue
    changed = true
    const { state, exitCode, node, reason } = status
    Object.assign(record, { state, exitCode, node: node ?? record.node, reason })
    // A job may begin and end between two polls.
    const hasRun = state === 'running' || (hasEnded(state) && exitCode !== undefined)
    if (hasRun) record.startedMs ??= ms
    if (hasEnded(state)) record.endedMs = ms
  }
  return changed
}

const signs: Record<JobState, string> = {
  queued: '·',
  held: '·',
  running: '▶',
  unknown: '?',
  completed: '✓',
  failed: '✗',
  cancelled: '–',
  'timed out': '✗',
  'out of memory': '✗',
  'node failed': '✗',
}

/** The graph in one line, level by level: `A ✓ → B ▶  C ▶ → D ·`. */
export function graphLine(records: readonly DagRecord[]): string {
  const depth = (record: DagRecord): number =>
    Math.max(0, ...records.filter(({ name }) => record.parents.includes(name)).map((parent) => depth(parent) + 1))
  const levels = Map.groupBy(records, depth)
  return [...levels.values()]
    .map((level) => level.map(({ name, state }) => `${name} ${signs[state]}`).join('  '))
    .join('  →  ')
}

/** Draws when each job waited and ran. Returns SVG text. */
export function drawDag(records: readonly DagRecord[], subtitle: string): string {
  return timeline({
    title: 'A diamond of jobs',
    subtitle,
    rowHeight: 36,
    kinds: { waited: { color: palette[5] }, ran: { color: palette[0] }, 'ran and failed': { color: palette[4] } },
    rows: records.map(({ name, state, startedMs, endedMs = 0, exitCode }) => ({
      name,
      spans: [
        { kind: 'waited', from: 0, to: startedMs ?? endedMs } as const,
        ...(startedMs === undefined
          ? []
          : [{ kind: state === 'completed' ? 'ran' : 'ran and failed', from: startedMs, to: endedMs } as const]),
      ],
      note: state === 'failed' ? `failed, exit code ${exitCode}` : state,
    })),
  })
}
