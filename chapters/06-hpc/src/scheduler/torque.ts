/**
 * Torque, the other descendant of the old PBS. Slurm has an imitation of its commands (slurm-wlm-torque) for people
 * with old scripts. The imitation knows fewer options, does not tell the tasks of an array apart, and reports no exit
 * codes.
 */
import { createHash } from 'node:crypto'
import { clockTime, taskRanges } from '@repo/practice-cluster/notation'
import type { Command } from '../ssh/quote.ts'
import type { JobDescription, JobStatus, SubmittedJob } from './job.ts'
import { dependencyList, listed, nodeState, readId, readSubmitted, reasonOf, statusOf } from './pbs.ts'
import {
  type Dialect,
  type ListedJob,
  type NodeStatus,
  ParseError,
  type Question,
  question,
  readEach,
  shortened,
} from './scheduler.ts'
import { jobScript } from './script.ts'
import { slurm } from './slurm.ts'

/** @param onSlurm whether qsub is Slurm's imitation */
export function torque({ onSlurm }: { onSlurm: boolean }): Dialect {
  // Slurm's own commands answer what the imitation cannot.
  const underneath = slurm({ accounting: false })
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
        ? // The imitation reads only some options in the script, and all of them on the command line.
          question(['qsub', ...options(job, onSlurm).flat(), `${job.name}.sh`], readSubmitted)
        : question(['qsub', `${job.name}.sh`], readSubmitted),
    poll: onSlurm ? pollOnSlurm : poll,
    list: ({ id }) => ['qstat', id],
    cancel: (job, tasks) => {
      if (!tasks) return ['qdel', job.id]
      return onSlurm ? underneath.cancel(job, tasks) : ['qdel', '-t', taskRanges(tasks), job.id]
    },
    hold: ({ id }) => ['qhold', id],
    release: ({ id }) => ['qrls', id],
    // The imitation's qstat shows waiting and held jobs as Q, without a reason.
    why: onSlurm ? underneath.why : ({ id }) => question(['qstat', '-f', '-1', id], readReason),
    queue: onSlurm
      ? underneath.queue
      : (user) => question(['qstat', '-f', '-1'], (stdout, command) => readQueued(stdout, command, user)),
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
    ['-N', onSlurm ? nameOnSlurm(job) : job.name],
    ['-l', resources.join(',')],
  ]
  if (job.queue) list.push(['-q', job.queue])
  if (job.array) list.push(['-t', taskRanges(job.array)])
  const on = dependencyList(job)
  if (on) list.push(['-W', `depend=${on}`])
  if (job.requeue !== undefined) list.push(['-r', job.requeue ? 'y' : 'n'])
  if (job.hold) list.push(['-h'])
  // Torque adds the number of the task itself; in the imitation it is %a.
  list.push(['-j', 'oe'], ['-o', `${job.name}${job.array && onSlurm ? '.%a' : ''}.log`])
  return list
}

const header = (job: JobDescription) => options(job).map((words) => `#PBS ${words.join(' ')}`)

/** Torque's own exit statuses (JOB_EXEC_… in its documentation), which differ from those of PBS Pro. */
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
    nothing: ({ stderr }) => /Unknown Job Id/i.test(stderr),
  }
}

/**
 * In the imitation's list the tasks of an array have their own ids, so they are found by name. That is why an array's
 * name is made unique to its folder.
 */
function nameOnSlurm({ name, folder, array }: Pick<JobDescription, 'name' | 'folder' | 'array'>): string {
  return array ? `${name}-${createHash('sha256').update(folder).digest('hex').slice(0, 8)}` : name
}

function pollOnSlurm(jobs: readonly SubmittedJob[]): Question<JobStatus[]> {
  const command: Command = ['qstat', '-f']
  return {
    command,
    parse(stdout) {
      const all = readJobs(stdout, command)
      return jobs.flatMap((job) => {
        const { id, array } = job
        const name = nameOnSlurm(job)
        const own = all.filter((each) =>
          array ? each.attributes.Job_Name === name && Number(each.id) >= Number(id) : each.id === id,
        )
        // The imitation prints U for states that it does not know, such as OUT_OF_MEMORY. They are all final.
        const states = own.map(({ attributes }) =>
          attributes.job_state === 'U' ? { state: 'unknown' as const } : statusOf(attributes, endings),
        )
        const first =
          states.find(({ state }) => state === 'running') ??
          states.find(({ state }) => state !== 'unknown') ??
          states[0]
        return first ? [{ id, ...first }] : []
      })
    },
    // Without any job it lists nothing and ends with 153, perhaps with Perl's warnings.
    nothing: ({ code, stdout }) => code === 153 && stdout.trim() === '',
  }
}

interface Listed {
  id: string
  index?: number
  attributes: Record<string, string>
}

/** Reads `qstat -f`: a paragraph for each job, a line for each attribute. */
function readJobs(stdout: string, command: Command): Listed[] {
  const expected = 'paragraphs that begin with Job Id:'
  const [head = '', ...paragraphs] = `\n${stdout}`.split('\nJob Id:')
  if (paragraphs.length === 0 && head.trim() !== '') throw new ParseError(command, stdout, expected)
  const read = (paragraph: string) => {
    // Lines without ` = ` continue the line above, and are not needed.
    const [first = '', ...lines] = paragraph.split('\n')
    const found = readId(first)
    if (!found) return undefined
    const attributes: Record<string, string> = Object.fromEntries(
      lines.flatMap((line) => {
        const [, name, value] = /^\s+(\S+) = (.*)$/.exec(line) ?? []
        return name === undefined || value === undefined ? [] : [[name, value.trim()]]
      }),
    )
    return [{ ...found, attributes: attributes.job_state ? attributes : { unread: shortened(paragraph) } }]
  }
  return readEach(paragraphs, read, { command, stdout, expected })
}

function readReason(stdout: string, command: Command): string {
  const [job] = readJobs(stdout, command)
  if (!job) throw new ParseError(command, stdout, 'one job')
  return reasonOf(job.attributes)
}

function readQueued(stdout: string, command: Command, user: string): ListedJob[] {
  return readJobs(stdout, command).flatMap(({ id, attributes }) => {
    const folder = /PBS_O_WORKDIR=([^,]+)/.exec(attributes.Variable_List ?? '')?.[1]
    return listed(id, attributes, folder, user)
  })
}

/** Reads `pbsnodes -a`: a name at the beginning of a line, and its attributes below. */
function readNodes(stdout: string, command: Command): NodeStatus[] {
  const read = (paragraph: string) => {
    const field = (name: string) => new RegExp(String.raw`^\s+${name} = (.*)$`, 'm').exec(paragraph)?.[1]?.trim()
    const name = /^\S+/.exec(paragraph)?.[0]
    const detail = field('state')
    if (name === undefined || detail === undefined) return undefined
    const cores = Number(field('np') ?? /ncpus=(\d+)/.exec(field('status') ?? '')?.[1] ?? 0)
    // `0/12.host, 1/12.host`, or `0-1/12.host`: the cores before each job.
    const jobs = field('jobs')?.split(/,\s*/).filter(Boolean) ?? []
    const coresInUse = jobs.reduce((sum, job) => {
      const [, first, last = first] = /^(\d+)(?:-(\d+))?\//.exec(job) ?? []
      return sum + (first === undefined ? 0 : Number(last) - Number(first) + 1)
    }, 0)
    return [{ name, state: nodeState(detail), cores, coresInUse, detail }]
  }
  const paragraphs = stdout.split(/\n(?=\S)/).filter((paragraph) => paragraph.trim() !== '')
  return readEach(paragraphs, read, { command, stdout, expected: 'nodes with their state' })
}
