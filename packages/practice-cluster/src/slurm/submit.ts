/** sbatch and srun for the practice queue: the options they accept, and the environment their jobs get. */
import { readFile } from 'node:fs/promises'
import { basename, resolve } from 'node:path'
import {
  type Answer,
  type Call,
  CommandError,
  readClock,
  readDependencies,
  readMemory,
  readOptions,
  runInteractively,
  spoolScript,
} from '../commands.ts'
import { readTaskRanges, taskRanges } from '../notation.ts'
import { type Demand, type Job, RefusedError, type Submission, type Task } from '../queue.ts'

const resourceOptions = {
  nodes: 'N',
  ntasks: 'n',
  'ntasks-per-node': '',
  'cpus-per-task': 'c',
  mem: '',
  time: 't',
  partition: 'p',
  'job-name': 'J',
  'gpus-per-node': '',
  gres: '',
  account: 'A',
  qos: 'q',
  pty: '!',
}
const batchOptions = {
  ...resourceOptions,
  array: 'a',
  dependency: 'd',
  output: 'o',
  error: 'e',
  chdir: 'D',
  export: '',
  wrap: '',
  signal: '',
  'kill-on-invalid-dep': '',
  hold: 'H!',
  requeue: '!',
  'no-requeue': '!',
  parsable: '!',
}
type Options = ReturnType<typeof readOptions>

export async function sbatch(call: Call): Promise<Answer> {
  const { queue } = call
  const own = readOptions('sbatch', call.args, batchOptions)
  const [path, ...scriptArgs] = own.operands
  const wrap = own.text('wrap')
  const folder = resolve(call.folder, own.text('chdir') ?? '.')
  const text = wrap ? `#!/bin/sh\n${wrap}\n` : await readScript(call, path)
  const lines = [...text.matchAll(/^#SBATCH[ \t]+(.*)$/gm)].flatMap(([, line = '']) => words(line))
  // The command line comes last, so it wins.
  const options = readOptions('sbatch', [...lines, ...call.args], batchOptions)
  const demand = readDemand('sbatch', options)
  const array = options.text('array')
  const indices = array === undefined ? undefined : readTaskRanges(array)
  if (array !== undefined && !indices) throw refused('Invalid job array specification')
  const [, atOnce] = /%(\d+)$/.exec(array ?? '') ?? []
  const output = options.text('output') ?? (indices ? 'slurm-%A_%a.out' : 'slurm-%j.out')
  const error = options.text('error') ?? output
  const name = options.text('job-name') ?? (wrap ? 'wrap' : path ? basename(path) : 'sbatch')

  const submission: Submission = {
    name,
    folder,
    demand,
    indices,
    queue: options.text('partition') ?? 'practice',
    program: [await spoolScript(call, text), ...scriptArgs],
    ...(atOnce ? { atOnce: Number(atOnce) } : {}),
    // The job inherits the submitting shell's variables.
    environment: (task) => ({ ...call.environment, ...jobEnvironment(task), SLURM_SUBMIT_DIR: call.folder }),
    output: (task) => ({ out: resolve(folder, fill(output, task)), err: resolve(folder, fill(error, task)) }),
    dependencies: readDependencies(options.text('dependency') ?? '', refused('Job dependency problem')),
    cancelWhenImpossible: options.text('kill-on-invalid-dep') === 'yes',
    held: options.has('hold'),
    requeue: !options.has('no-requeue'),
    warnMs: readWarning(options.text('signal')),
  }
  const job = tryToSubmit(queue, submission)
  return { stdout: options.has('parsable') ? `${job.id}\n` : `Submitted batch job ${job.id}\n` }
}

function tryToSubmit(queue: Call['queue'], submission: Submission): Job {
  try {
    return queue.submit(submission)
  } catch (error) {
    if (!(error instanceof RefusedError)) throw error
    const messages = {
      'no such queue': `sbatch: error: invalid partition specified: ${submission.queue}\nsbatch: error: Batch job submission failed: Invalid partition name specified`,
      'too large': 'sbatch: error: Batch job submission failed: Requested node configuration is not available',
      'too many jobs':
        "sbatch: error: QOSMaxSubmitJobPerUserLimit\nsbatch: error: Batch job submission failed: Job violates accounting/QOS policy (job submit limit, user's size and/or time limits)",
      'no such job': 'sbatch: error: Batch job submission failed: Invalid job id specified',
    }
    throw new CommandError(messages[error.why])
  }
}

const refused = (why: string) => new CommandError(`sbatch: error: Batch job submission failed: ${why}`)

async function readScript(call: Call, path: string | undefined): Promise<string> {
  const text =
    path === undefined ? await call.stdin() : await readFile(resolve(call.folder, path), 'utf8').catch(() => undefined)
  if (text === undefined) throw new CommandError(`sbatch: error: Unable to open file ${path}`)
  if (!text.startsWith('#!')) {
    throw new CommandError(
      'sbatch: error: This does not look like a batch script.  The first\nsbatch: error: line must start with #! followed by the path to an interpreter.\nsbatch: error: For instance: #!/bin/sh',
    )
  }
  return text
}

/** Splits a line of options into words, and removes their quotes. */
function words(line: string): string[] {
  return [...line.matchAll(/(?:[^\s"']|"[^"]*"|'[^']*')+/g)].map(([word]) => word.replaceAll(/["']/g, ''))
}

function readDemand(program: string, options: Options): Demand {
  const number = (name: string, otherwise: number) => {
    const text = options.text(name) ?? String(otherwise)
    if (!/^[1-9]\d*$/.test(text))
      throw new CommandError(`${program}: error: Invalid numeric value "${text}" for --${name}.`, 255)
    return Number(text)
  }
  const nodes = number('nodes', 1)
  const ntasks = number('ntasks', nodes)
  const ranksPerNode = number('ntasks-per-node', Math.ceil(ntasks / nodes))
  const time = options.text('time')
  const walltimeMs = time === undefined ? undefined : readClock(time)
  if (time !== undefined && !walltimeMs) throw new CommandError(`${program}: error: Invalid --time specification`)
  const mem = options.text('mem')
  const memoryMb = mem === undefined ? undefined : readMemory(mem)
  if (mem !== undefined && memoryMb === undefined)
    throw new CommandError(`${program}: error: Invalid --mem specification`, 255)
  if (options.has('gpus-per-node') || options.has('gres'))
    throw refused('Invalid generic resource (gres) specification')
  return { nodes, ranksPerNode, coresPerNode: ranksPerNode * number('cpus-per-task', 1), walltimeMs, memoryMb }
}

/** `B:TERM@30` in ms. No other signal is supported. */
function readWarning(text: string | undefined): number | undefined {
  if (text === undefined) return undefined
  const [, seconds] = /^B:(?:SIG)?TERM@(\d+)$/.exec(text) ?? []
  if (seconds === undefined) throw new CommandError(`sbatch: error: Invalid --signal specification "${text}"`)
  return Number(seconds) * 1000
}

/** Replaces %j, %A, %a, %x, %N and %% in the name of a file. */
function fill(pattern: string, task: Task): string {
  const { job, index } = task
  const values: Record<string, string> = {
    j: String(job.id),
    A: String(job.id),
    a: String(index ?? 4294967294),
    x: job.name,
    N: task.nodes[0] ?? '',
    '%': '%',
  }
  return pattern.replaceAll(/%(\w|%)/g, (whole, letter: string) => values[letter] ?? whole)
}

function jobEnvironment(task: Task): Record<string, string> {
  const { job, index, nodes } = task
  const { demand } = job
  const array: Record<string, string> =
    index === undefined
      ? {}
      : {
          SLURM_ARRAY_JOB_ID: String(job.id),
          SLURM_ARRAY_TASK_ID: String(index),
          SLURM_ARRAY_TASK_COUNT: String(job.tasks.length),
          SLURM_ARRAY_TASK_MIN: String(job.tasks[0]?.index),
          SLURM_ARRAY_TASK_MAX: String(job.tasks.at(-1)?.index),
        }
  return {
    ...array,
    SLURM_JOB_ID: String(job.id),
    SLURM_JOBID: String(job.id),
    SLURM_JOB_NAME: job.name,
    SLURM_JOB_PARTITION: job.queue,
    SLURM_CLUSTER_NAME: 'practice',
    SLURM_JOB_NODELIST: hostList(nodes),
    SLURM_NODELIST: hostList(nodes),
    SLURM_JOB_NUM_NODES: String(nodes.length),
    SLURM_NNODES: String(nodes.length),
    SLURM_NTASKS: String(nodes.length * demand.ranksPerNode),
    SLURM_NTASKS_PER_NODE: String(demand.ranksPerNode),
    SLURM_CPUS_PER_TASK: String(demand.coresPerNode / demand.ranksPerNode),
    SLURM_CPUS_ON_NODE: String(demand.coresPerNode),
    SLURMD_NODENAME: nodes[0] ?? '',
    SLURM_RESTART_COUNT: String(task.restarts),
    PRACTICE_NODE: nodes[0] ?? '',
    PRACTICE_NODES: nodes.join(','),
  }
}

/** `n[1-2]` for n1 and n2. */
export function hostList(names: readonly string[]): string {
  if (names.length < 2 || !names.every((name) => /^n\d+$/.test(name))) return names.join(',')
  return `n[${taskRanges(names.map((name) => Number(name.slice(1))))}]`
}

/** srun: inside a job it starts the ranks of a parallel program on the job's nodes; outside, it is a job of its own. */
export async function srun(call: Call): Promise<Answer> {
  const { options, program } = splitProgram(call.args)
  if (program.length === 0) throw new CommandError('srun: fatal: No command given to execute.')
  const { SLURM_JOB_ID: inside } = call.environment
  if (inside === undefined) return await interactive(call, options, program)
  const job = call.queue.job(Number(inside))
  const nodes = (call.environment.PRACTICE_NODES ?? '').split(',')
  const ranks = Number(options.text('ntasks') ?? nodes.length * job.demand.ranksPerNode)
  const perNode = Math.ceil(ranks / nodes.length)
  const runs = Array.from({ length: ranks }, (_, rank) => {
    const node = nodes[Math.floor(rank / perNode)] ?? ''
    return {
      command: program,
      environment: {
        SLURM_PROCID: String(rank),
        SLURM_LOCALID: String(rank % perNode),
        SLURM_NTASKS: String(ranks),
        SLURM_STEP_ID: '0',
        SLURM_NODEID: String(Math.floor(rank / perNode)),
        SLURMD_NODENAME: node,
        PRACTICE_NODE: node,
      },
    }
  })
  return { code: await call.run(runs) }
}

async function interactive(call: Call, options: Options, program: string[]): Promise<Answer> {
  const submit = (onStart: (task: Task) => void) =>
    tryToSubmit(call.queue, {
      name: options.text('job-name') ?? basename(program[0] ?? ''),
      folder: call.folder,
      demand: readDemand('srun', options),
      environment: jobEnvironment,
      queue: options.text('partition') ?? 'practice',
      onStart,
    })
  return await runInteractively(call, submit, {
    sayIfItWaits: true,
    waiting: ({ id }) => `srun: job ${id} queued and waiting for resources\n`,
    ready: ({ id }) => `srun: job ${id} has been allocated resources\n`,
    run: (task) => ({ command: program, environment: { ...jobEnvironment(task), SLURM_PROCID: '0' } }),
  })
}

/** Separates srun's own options from the program and its arguments. */
function splitProgram(args: string[]): { options: Options; program: string[] } {
  const own: string[] = []
  const rest = [...args]
  const shorts = new Map(
    Object.entries(resourceOptions).map(([name, letter]) => [letter.replace('!', '') || name, letter]),
  )
  while (rest[0]?.startsWith('-')) {
    const option = rest.shift() ?? ''
    own.push(option)
    const name = option.startsWith('--') ? option.slice(2) : option.slice(1)
    const form = resourceOptions[name as keyof typeof resourceOptions] ?? shorts.get(name)
    const alone = form === undefined || form.endsWith('!') || option.includes('=')
    if (!alone) own.push(rest.shift() ?? '')
  }
  return { options: readOptions('srun', own, resourceOptions), program: rest }
}
