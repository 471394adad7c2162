/**
 * Slurm by its REST interface: slurmrestd answers requests with JSON, so there are no columns to take apart. The
 * requests are made on the login node, by curl: like the commands they need neither an open port nor a secret of ours.
 *
 * This is version v0.0.38 of the interface, which came with Slurm 22.05. Each release adds a version and drops an old one.
 */
import { randomUUID } from 'node:crypto'
import { taskRanges } from '@repo/practice-cluster/notation'
import { z } from 'zod'
import type { Command } from '../ssh/quote.ts'
import type { JobDescription, JobStatus } from './job.ts'
import {
  type Dialect,
  dependencyWords,
  entryOf,
  type NodeStatus,
  ParseError,
  type Question,
  readEach,
} from './scheduler.ts'
import { jobScript } from './script.ts'
import { accountedStatuses, exitOf, listedJob, merged, nodeStates, onceEach, slurm, toStatuses } from './slurm.ts'

/** What a login node says about its slurmrestd, and about the account. */
export interface RestSite {
  /** Where slurmrestd listens, in its own notation: `unix:/path` or `host:port`. */
  address: string
  /** For jobs: unlike sbatch, slurmrestd knows nothing of the environment in which a request was made. */
  environment: Record<string, string>
  accounting: boolean
}

export const acceptedAddress = 'unix:/PATH or HOST:PORT'

/** The arguments of curl for an address, and the beginning of each URL; undefined if it is not an address. */
export function readAddress(address: string): { args: string[]; base: string; needsToken: boolean } | undefined {
  const [, path] = /^unix:(\/[\w@%+:,./-]+)$/.exec(address) ?? []
  if (path) return { args: ['--unix-socket', path], base: 'http://localhost', needsToken: false }
  if (/^(https?:\/\/)?[\w.-]+:\d+$/.test(address)) {
    return { args: [], base: address.replace(/^(?!https?:)/, 'http://'), needsToken: true }
  }
  return undefined
}

/** Asks a login node for what it says about itself. Its address is empty if it names none. */
export const restSite: Question<Omit<RestSite, 'accounting'>> = {
  command: ['sh', '-c', 'printf "%s\\n" "$SLURMRESTD_LISTEN" "$PATH" "$HOME" "$LOGNAME"'],
  parse(stdout) {
    const [listen = '', PATH = '', HOME = '', USER = ''] = stdout.split('\n')
    return { address: listen.replace(/,.*/, ''), environment: { PATH, HOME, USER } }
  },
}

// #region token
/** Adds a token to a request. It reaches curl through a pipe: other users of the login node see all command lines. */
const withToken = [
  'token=$SLURM_JWT; [ -n "$token" ] || token=$(scontrol token lifespan=60) || exit;',
  'token=$(echo "$token" | sed s/^SLURM_JWT=//);',
  'printf "X-SLURM-USER-NAME: %s\\nX-SLURM-USER-TOKEN: %s\\n" "$(id -un)" "$token" | "$@" -H @-',
].join(' ')
// #endregion token

/** A slurmrestd that hangs, or that waits for a controller that hangs, counts as failed after this time. */
const deadlineSeconds = 30

/** @throws an Error if the address has another form */
export function slurmRest({ address, environment, accounting }: RestSite): Dialect {
  const reached = readAddress(address)
  if (!reached) throw new Error(`slurmrestd: received ${JSON.stringify(address)}; accepts ${acceptedAddress}`)
  const { args, base, needsToken } = reached
  const request = (paths: string[], ...more: string[]): Command => {
    const urls = paths.map((path) => base + path)
    const curl = ['curl', '-sS', ...urls, ...args, '--max-time', `${deadlineSeconds}`, ...more] as const
    return needsToken ? ['sh', '-c', withToken, 'sh', ...curl] : curl
  }
  // Fails when Slurm does. The answer then says why.
  const strictly = (paths: string[], ...more: string[]) => request(paths, '--fail-with-body', ...more)

  const commands = slurm({ accounting })
  return {
    ...commands,
    title: commands.title.replace('Slurm', 'Slurm over REST'),
    files: (job) => [
      { name: `${job.name}.json`, text: `${JSON.stringify(submission(job, environment), null, 2)}\n` },
      { name: `${job.name}.sh`, text: jobScript(job, { header: [], taskId }), executable: true },
    ],
    submit: ({ name }) => ({
      command: strictly([`${slurmPath}/job/submit`], '-H', 'Content-Type:application/json', '-d', `@${name}.json`),
      parse: readSubmitted,
      words: ({ stdout }) => wordsOf(stdout),
    }),
    // #region poll
    poll(jobs) {
      const about = (source: string) => jobs.map(({ id }) => `${source}/job/${id}`)
      // Stands behind each answer.
      const mark = `--${randomUUID()}`
      const command = request([...about(slurmPath), ...(accounting ? about(accountingPath) : [])], '-w', mark)
      const parse = (stdout: string) => {
        const answers = stdout.split(mark).slice(0, -1)
        if (answers.length < jobs.length * (accounting ? 2 : 1)) throw unexpected(stdout)
        const queue = readAnswers(answers.slice(0, jobs.length), readQueued)
        const isKnown = queue.error === undefined
        const older = readAnswers(answers.slice(jobs.length), (job) => readAccounted(job, isKnown))
        // As long as one of the two answers, that has to do.
        if (queue.error && (!accounting || older.error)) throw queue.error
        return merged(queue.statuses, older.statuses)
      }
      return { command, parse }
    },
    // #endregion poll
    cancel({ id }, tasks) {
      // It takes no ranges.
      const ids = tasks?.map((task) => `${id}_${task}`) ?? [id]
      return strictly(
        ids.map((each) => `${slurmPath}/job/${each}`),
        '-X',
        'DELETE',
      )
    },
    queue: (user) => ({
      command: request([`${slurmPath}/jobs`]),
      parse(stdout) {
        const jobs = readList('jobs', stdout, (job) => {
          const { data } = listedSchema.safeParse(job)
          if (data?.user_name !== user) return data && []
          const { job_state: state, state_reason: reason, current_working_directory: folder, name } = data
          return listedJob({ id: idOf(data), state, reason, folder, name })
        })
        return onceEach(jobs)
      },
    }),
    nodes: () => ({
      command: request([`${slurmPath}/nodes`]),
      parse: (stdout) => readList('nodes', stdout, readNode),
    }),
  }
}

const slurmPath = '/slurm/v0.0.38'
const accountingPath = '/slurmdb/v0.0.38'
const taskId = '$SLURM_ARRAY_TASK_ID'

/** The same as the header of a script for sbatch (slurm.ts), whose comments slurmrestd does not read. */
function submission(job: JobDescription, environment: Record<string, string>) {
  const { resources: { cores, memoryMb, nodes, ranksPerNode = 1, walltimeSeconds, gpus } = {} } = job
  return {
    script: `#!/bin/sh\nexec ./${job.name}.sh\n`,
    job: {
      name: job.name,
      current_working_directory: job.folder,
      environment,
      partition: job.queue,
      nodes,
      tasks: (nodes ?? 1) * ranksPerNode,
      tasks_per_node: nodes || ranksPerNode > 1 ? ranksPerNode : undefined,
      cpus_per_task: cores && Math.max(1, Math.floor(cores / ranksPerNode)),
      memory_per_node: memoryMb,
      gres: gpus && `gpu:${gpus}`,
      // In minutes.
      time_limit: walltimeSeconds && Math.ceil(walltimeSeconds / 60),
      array: job.array && taskRanges(job.array),
      dependency: job.dependencies?.map(({ on, when }) => `${dependencyWords[when]}:${on}`).join(',') || undefined,
      kill_on_invalid_dependency: job.dependencies?.length ? true : undefined,
      requeue: job.requeue,
      hold: job.hold,
      standard_output: job.array ? `${job.name}.%a.log` : `${job.name}.log`,
    },
  }
}

const answerSchema = z.object({
  errors: z.array(
    z.object({
      error: z.string().default(''),
      description: z.string().default(''),
      error_number: z.number().optional(),
    }),
  ),
  job_id: z.number().optional(),
  jobs: z.array(z.unknown()).default([]),
  nodes: z.array(z.unknown()).default([]),
})
type Answer = z.output<typeof answerSchema>

const nodeSchema = z.object({
  name: z.string(),
  state: z.string(),
  state_flags: z.array(z.string()),
  cpus: z.number(),
  alloc_cpus: z.number(),
  real_memory: z.number(),
  reason: z.string(),
})

/** One of the tasks of an array, or all of them that wait. */
const jobSchema = z.object({
  job_id: z.number(),
  array_job_id: z.number(),
  array_task_id: z.number().nullable(),
  array_task_string: z.string(),
  job_state: z.string(),
  state_reason: z.string(),
  /** As wait() gives it. */
  exit_code: z.number(),
  nodes: z.string(),
})
const listedSchema = jobSchema.extend({
  name: z.string(),
  user_name: z.string(),
  current_working_directory: z.string(),
})

/**
 * A job in the database. Of its exit code only a signal is to be believed: Slurm 22.05 says SUCCESS and 0 of a job that
 * ended with 3.
 */
const accountedSchema = z.object({
  job_id: z.number(),
  array: z.object({ job_id: z.number(), task_id: z.number().nullish() }),
  state: z.object({ current: z.string() }),
  exit_code: z.object({ signal: z.object({ signal_id: z.number() }).optional() }),
  nodes: z.string(),
})

const unexpected = (output: string) => new ParseError(['slurmrestd'], output, "Slurm's answer in JSON")

/** The answer; undefined if it is none, such as `Authentication failure`. */
function readAnswer(stdout: string): Answer | undefined {
  try {
    return answerSchema.parse(JSON.parse(stdout))
  } catch {
    return undefined
  }
}

/** What an answer complains about; undefined if it does not. */
function wordsOf(stdout: string, answer = readAnswer(stdout)): string | undefined {
  const { errors } = answer ?? { errors: [{ error: stdout.trim(), description: '' }] }
  // It says so when it cannot ask Slurm at all.
  const meaning = (error: string) => error.replace('Unspecified error', 'is Slurm down, or the token wrong?')
  const words = errors.map(({ error, description }) => [description, meaning(error)].filter(Boolean).join(': '))
  return words.join('; ') || undefined
}

/**
 * Reads each element of a list by itself (scheduler.ts).
 *
 * @throws a {@link ParseError}, with Slurm's own words if it gives any
 */
function readList<Found>(
  name: 'jobs' | 'nodes',
  stdout: string,
  read: (item: unknown) => Found[] | undefined,
): Found[] {
  const answer = readAnswer(stdout)
  const words = wordsOf(stdout, answer)
  const list = answer?.[name]
  if (words !== undefined || !list) throw unexpected(words ?? stdout)
  return readEach(list, read, { command: ['slurmrestd'], stdout: JSON.stringify(list), expected: `${name} in JSON` })
}

function readSubmitted(stdout: string): string {
  const { job_id: id } = readAnswer(stdout) ?? {}
  // An error beside an id is a remark, such as that the job is held.
  if (id === undefined) throw unexpected(wordsOf(stdout) ?? stdout)
  return `${id}`
}

/** Slurm's number for a job that it does not know. */
const unknownJob = 2017

/** What several answers say about jobs, and the first error in them. */
function readAnswers(answers: string[], read: (job: unknown) => JobStatus[] | undefined) {
  const found: { statuses: JobStatus[]; error?: unknown } = { statuses: [] }
  for (const text of answers) {
    const { errors = [] } = readAnswer(text) ?? {}
    if (errors.length > 0 && errors.every(({ error_number }) => error_number === unknownJob)) continue
    try {
      // Not as arguments of push: a cluster's jobs may be more than fit on the stack.
      for (const status of readList('jobs', text, read)) found.statuses.push(status)
    } catch (error) {
      found.error ??= error
    }
  }
  return found
}

function readQueued(job: unknown): JobStatus[] | undefined {
  const { data } = jobSchema.safeParse(job)
  if (!data) return undefined
  const { array_task_id: task, array_task_string: tasks, job_state: state, state_reason: reason, nodes: node } = data
  const of = task !== null ? `_${task}` : tasks && `_[${tasks}]`
  return toStatuses({ id: `${idOf(data)}${of}`, state, exit: exitOf(data.exit_code), node, reason })
}

function readAccounted(job: unknown, isKnown: boolean): JobStatus[] | undefined {
  const { data } = accountedSchema.safeParse(job)
  if (!data) return undefined
  const {
    job_id: own,
    array,
    state,
    exit_code: { signal },
    nodes: node,
  } = data
  const id =
    array.job_id === 0 ? `${own}` : array.task_id == null ? `${array.job_id}` : `${array.job_id}_${array.task_id}`
  return accountedStatuses({ id, state: state.current, exit: signal && `0:${signal.signal_id}`, node }, isKnown)
}

/** The id of a job, or of the array to which it belongs. */
const idOf = ({ job_id, array_job_id }: z.output<typeof jobSchema>) => `${array_job_id || job_id}`

function readNode(node: unknown): NodeStatus[] | undefined {
  const { data } = nodeSchema.safeParse(node)
  if (!data) return undefined
  const { name, state, state_flags: flags, cpus, alloc_cpus, real_memory, reason } = data
  const isDown = flags.some((flag) => ['DRAIN', 'FAIL', 'NOT_RESPONDING'].includes(flag))
  const words = [state, ...flags].join('+')
  return [
    {
      name,
      state: isDown ? 'down' : (entryOf(nodeStates, state) ?? 'unknown'),
      cores: cpus,
      coresInUse: alloc_cpus,
      memoryMb: real_memory,
      detail: reason === '' ? words : `${words}, ${reason}`,
    },
  ]
}
