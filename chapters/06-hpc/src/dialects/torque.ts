/**
 * Torque: what PBS was before its ways parted. Slurm brings an imitation of its commands, slurm-wlm-torque, for people who
 * have their scripts; it knows fewer options, tells the tasks of an array not apart, and knows no exit code.
 */
import type { JobDescription, JobStatus, SubmittedJob } from '../job.ts'
import { type Command, type Dialect, type NodeStatus, ParseError, type Question } from '../scheduler.ts'
import { clockTime, jobScript, taskRanges } from '../script.ts'
import { dependencyList, nodeState, question, readId, readSubmitted, statusOf } from './pbs.ts'

/** @param onSlurm whether qsub is Slurm's imitation */
export function torque({ onSlurm }: { onSlurm: boolean }): Dialect {
  const taskId = onSlurm ? '$SLURM_ARRAY_TASK_ID' : '$PBS_ARRAYID'
  return {
    name: 'torque',
    title: onSlurm ? "Slurm's imitation of Torque" : 'Torque',
    files: (job) => [
      {
        name: `${job.name}.sh`,
        text: jobScript(job, { header: onSlurm ? [] : header(job), taskId }),
        executable: true,
      },
    ],
    submit: (job) =>
      onSlurm
        ? // Of the lines in the script it honours a few, on the command line all that it knows.
          question(['qsub', ...options(job, onSlurm).flat(), `${job.name}.sh`], readSubmitted)
        : question(['qsub', `${job.name}.sh`], readSubmitted),
    poll: onSlurm ? pollOnSlurm : poll,
    cancel: ({ id }, tasks) => {
      if (!tasks) return ['qdel', id]
      return onSlurm ? ['scancel', `${id}_[${taskRanges(tasks)}]`] : ['qdel', '-t', taskRanges(tasks), id]
    },
    hold: ({ id }) => ['qhold', id],
    release: ({ id }) => ['qrls', id],
    why: ({ id }) => question(onSlurm ? ['qstat', '-f', id] : ['qstat', '-f', '-1', id], readReason),
    nodes: () => question(['pbsnodes', '-a'], readNodes),
    interactive: ({ walltimeSeconds }) => ['qsub', '-I', '-l', `walltime=${clockTime(walltimeSeconds)}`],
  }
}

function options(job: JobDescription, onSlurm = false): [string, ...string[]][] {
  const { resources: { cores = 1, memoryMb, nodes = 1, walltimeSeconds, gpus } = {} } = job
  const resources = [`nodes=${nodes}:ppn=${cores}${gpus ? `:gpus=${gpus}` : ''}`]
  if (memoryMb) resources.push(`mem=${memoryMb}mb`)
  if (walltimeSeconds) resources.push(`walltime=${clockTime(walltimeSeconds)}`)
  const list: [string, ...string[]][] = [
    ['-N', job.name],
    ['-l', resources.join(',')],
  ]
  if (job.queue) list.push(['-q', job.queue])
  if (job.array) list.push(['-t', taskRanges(job.array)])
  const on = dependencyList(job)
  if (on) list.push(['-W', `depend=${on}`])
  if (job.requeue !== undefined) list.push(['-r', job.requeue ? 'y' : 'n'])
  if (job.hold) list.push(['-h'])
  // Torque adds the number of the task itself; in Slurm's imitation %a stands for it.
  list.push(['-j', 'oe'], ['-o', `${job.name}${job.array && onSlurm ? '.%a' : ''}.log`])
  return list
}

const header = (job: JobDescription) => options(job).map((words) => `#PBS ${words.join(' ')}`)

/** Torque's exit statuses below zero (JOB_EXEC_… in its documentation) are not those of PBS Pro. */
const endings: Record<number, JobStatus['state']> = {
  [-4]: 'node failed',
  [-10]: 'out of memory',
  [-11]: 'timed out',
}

function poll(jobs: readonly SubmittedJob[]): Question<JobStatus[]> {
  const command: Command = ['qstat', '-f', '-1', '-t', ...jobs.map(({ id }) => id)]
  return {
    command,
    parse: (stdout) =>
      readJobs(stdout, command).map(({ id, index, attributes }) => ({
        id,
        ...(index === undefined ? {} : { task: index }),
        ...statusOf(attributes, endings),
      })),
    nothing: /Unknown Job Id/i,
  }
}

/** All jobs are listed, for the tasks of an array have ids of their own there; by their names they are found. */
function pollOnSlurm(jobs: readonly SubmittedJob[]): Question<JobStatus[]> {
  const command: Command = ['qstat', '-f']
  return {
    command,
    parse(stdout) {
      const listed = readJobs(stdout, command)
      return jobs.flatMap(({ id, name, array }) => {
        const own = listed.filter((job) =>
          array ? job.attributes.Job_Name === name && Number(job.id) >= Number(id) : job.id === id,
        )
        const states = own.map(({ attributes }) => statusOf(attributes, endings))
        const first = states.find(({ state }) => state === 'running') ?? states.find(({ state }) => state !== 'unknown')
        return first ? [{ id, ...first }] : []
      })
    },
    // It says nothing and ends with 153 when there is no job at all.
    nothing: /^$/,
  }
}

interface Listed {
  id: string
  index?: number
  attributes: Record<string, string>
}

/** `qstat -f`: a paragraph for each job, a line for each attribute. */
function readJobs(stdout: string, command: Command): Listed[] {
  if (stdout.trim() !== '' && !stdout.startsWith('Job Id:'))
    throw new ParseError(command, stdout, 'paragraphs that begin with Job Id:')
  return stdout
    .split(/^Job Id:/m)
    .slice(1)
    .map((paragraph) => {
      // A line that begins with a tab goes on with the one above, except where every line begins with one.
      const [first = '', ...lines] = paragraph.split('\n')
      const found = readId(first)
      const attributes = Object.fromEntries(
        lines.flatMap((line) => {
          const [, name, value] = /^\s+(\S+) = (.*)$/.exec(line) ?? []
          return name === undefined || value === undefined ? [] : [[name, value.trim()]]
        }),
      )
      if (!found || !attributes.job_state) throw new ParseError(command, paragraph, 'a job id and its job_state')
      return { ...found, attributes }
    })
}

function readReason(stdout: string, command: Command): string {
  const [job] = readJobs(stdout, command)
  if (!job) throw new ParseError(command, stdout, 'one job')
  const { job_state: state, comment, depend, Hold_Types: hold } = job.attributes
  const held = state === 'H' && hold && hold !== 'n' ? `hold types ${hold}` : undefined
  return [`state ${state}`, comment, depend && `depend ${depend}`, held].filter(Boolean).join(', ')
}

/** `pbsnodes -a`: a name at the beginning of a line, and attributes below. */
function readNodes(stdout: string, command: Command): NodeStatus[] {
  const nodes = stdout.split(/\n(?=\S)/).filter((paragraph) => paragraph.trim() !== '')
  return nodes.map((paragraph) => {
    const field = (name: string) => new RegExp(String.raw`^\s+${name} = (.*)$`, 'm').exec(paragraph)?.[1]?.trim()
    const name = /^\S+/.exec(paragraph)?.[0]
    const detail = field('state')
    if (name === undefined || detail === undefined) throw new ParseError(command, stdout, 'nodes with their state')
    const cores = Number(field('np') ?? /ncpus=(\d+)/.exec(field('status') ?? '')?.[1] ?? 0)
    // `0/12.host, 1/12.host`, or `0-1/12.host`: the cores before each job.
    const jobs = field('jobs')?.split(/,\s*/).filter(Boolean) ?? []
    const coresInUse = jobs.reduce((sum, job) => {
      const [, first, last = first] = /^(\d+)(?:-(\d+))?\//.exec(job) ?? []
      return sum + (first === undefined ? 0 : Number(last) - Number(first) + 1)
    }, 0)
    return { name, state: nodeState(detail), cores, coresInUse, detail }
  })
}
