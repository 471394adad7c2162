/** What one does when a job does not do what it should: jobs that wait for one reason each, environments, shells, logs. */
import { posix } from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout as delay } from 'node:timers/promises'
import { until } from '@repo/common/async/until'
import { hasEnded, type JobDescription, type JobStatus, jobFiles, type SubmittedJob } from '../scheduler/job.ts'
import type { Command, NodeStatus } from '../scheduler/scheduler.ts'
import { CommandError } from '../ssh/errors.ts'
import { askUntil } from './ask-until.ts'
import type { Cluster } from './cluster.ts'
import type { WorkFolder } from './work-folder.ts'

const pollMs = 200
const startTimeoutMs = 120_000

export interface Waiting {
  what: string
  /** In the scheduler's own words. */
  why: string
  /** Not even taken into the queue. */
  refused: boolean
}

/**
 * Submits a job for each reason to wait and asks the scheduler why it does. The nodes are filled with waiting jobs only
 * on the practice cluster: elsewhere that would be other people's time.
 */
export async function waitingJobs(
  cluster: Cluster,
  folder: WorkFolder,
  nodes: readonly NodeStatus[],
  { signal, onReason }: { signal: AbortSignal; onReason: (reason: Waiting) => void },
): Promise<Waiting[]> {
  const base = { folder: folder.path, command: ['sleep', '300'], resources: { cores: 1, walltimeSeconds: 300 } }
  const submit = async (job: Omit<JobDescription, 'folder' | 'command'>) =>
    folder.cancelAtTheEnd(await cluster.submit({ ...base, ...job }))
  const reasons: Waiting[] = []
  function found(reason: Waiting) {
    reasons.push(reason)
    onReason(reason)
  }
  async function ask(what: string, job: SubmittedJob) {
    // Right after its submission a scheduler has not looked at it yet.
    let why = await cluster.why(job)
    for (let waited = 0; /reason None|state Q$/.test(why) && waited < 5_000; waited += pollMs) {
      await delay(pollMs, undefined, { signal })
      why = await cluster.why(job)
    }
    found({ what, why, refused: false })
  }

  const held = await submit({ name: 'held', hold: true })
  await ask('A job that is held', held)
  // HTCondor leaves that to DAGMan.
  if (cluster.dialect.name !== 'htcondor') {
    const dependencies = [{ on: held.id, when: 'ok' as const }]
    await ask('A job that waits for the held one', await submit({ name: 'dependent', dependencies }))
  }

  const most = Math.max(...nodes.map(({ cores }) => cores))
  try {
    const tooLarge = await submit({ name: 'too-large', resources: { cores: most + 1, walltimeSeconds: 300 } })
    await ask(`A job of ${most + 1} cores, where no node has more than ${most}`, tooLarge)
  } catch (error) {
    if (!(error instanceof CommandError)) throw error
    const what = `A job of ${most + 1} cores, where no node has more than ${most}`
    found({ what, why: (error.stderr || error.stdout).trim(), refused: true })
  }

  if (cluster.practice) {
    const cores = nodes.reduce((sum, node) => sum + node.cores, 0)
    const array = Array.from({ length: cores }, (_, task) => task)
    const filling = await submit({ name: 'filling', array })
    const running = async () => (await cluster.poll([filling])).every(({ state }) => state === 'running')
    await until(running, { timeoutMs: startTimeoutMs, everyMs: pollMs, signal, what: 'jobs on all cores' })
    await ask('A job that finds all cores in use', await submit({ name: 'first' }))
    await ask('The next one after it', await submit({ name: 'second' }))
    await cluster.cancel(filling)
  }
  return reasons
}

/** Runs a job to its end and returns how it ended. */
async function runJob(cluster: Cluster, folder: WorkFolder, job: Omit<JobDescription, 'folder'>, signal: AbortSignal) {
  const submitted = folder.cancelAtTheEnd(await cluster.submit({ ...job, folder: folder.path }))
  return await untilEnded(cluster, submitted, signal)
}

async function untilEnded(cluster: Cluster, job: SubmittedJob, signal: AbortSignal): Promise<JobStatus> {
  const isLast = (statuses: JobStatus[]) => statuses.every(({ state }) => hasEnded(state))
  const [status] = await askUntil(() => cluster.poll([job]), isLast, { signal, everyMs: pollMs })
  return status as JobStatus
}

const fromScheduler = /^(SLURM|PBS|CONDOR|_CONDOR|BATCH_SYSTEM|NCPUS$|OMPI|PMI)/

/** The variables of a job beside those of the login shell: values only of the scheduler's, for any other may be a secret. */
export async function compareEnvironments(cluster: Cluster, folder: WorkFolder, signal: AbortSignal) {
  const command: Command = ['env', '-0']
  const login = readVariables(await cluster.connection.output(command, { repeatable: true, signal }))
  await runJob(cluster, folder, { name: 'environment', command: [...command] }, signal)
  const file = posix.join(folder.path, jobFiles('environment').out)
  const job = readVariables((await cluster.connection.readFile(file, { signal })).toString())
  const isOurs = (name: string) => /^(_|PWD|OLDPWD|SHLVL|TASK_ID|PRACTICE_\w+)$/.test(name)
  return {
    scheduler: [...job].filter(([name]) => fromScheduler.test(name)).sort(),
    onlyLogin: [...login.keys()].filter((name) => !job.has(name) && !isOurs(name)).sort(),
    onlyJob: [...job.keys()].filter((name) => !login.has(name) && !isOurs(name) && !fromScheduler.test(name)).sort(),
  }
}

const readVariables = (text: string) =>
  new Map(
    text
      .split('\0')
      .flatMap((line) =>
        line.includes('=') ? [[line.split('=', 1)[0] ?? '', line.replace(/^[^=]*=/, '')] as const] : [],
      ),
  )

/** What comes back from a shell on a node that is given some lines; Slurm's does without a terminal, others insist on one. */
export async function onNode(cluster: Cluster, lines: readonly string[], signal: AbortSignal) {
  const { connection, dialect, practice } = cluster
  const input = lines.map((line) => `${line}\n`).join('')
  const terminal = dialect.name !== 'slurm' && !practice
  const command = dialect.interactive({ walltimeSeconds: 120, terminal })
  if (!terminal) {
    const { stdout, stderr } = await connection.run(command, { input, signal })
    return { command, text: `${stderr}${stdout}`.trim() }
  }
  await using shell = await connection.start(command, { signal, terminal: { columns: 80, rows: 24 } })
  shell.stdin.write(input)
  const parts: Buffer[] = []
  for await (const part of shell.stdout) parts.push(Buffer.from(part))
  await shell.exited
  return { command, text: Buffer.concat(parts).toString().replaceAll('\r', '').trim() }
}

/** Connects a terminal, such as that of the process, with a shell on a node until that ends; returns its exit code. */
export async function handOverTerminal(
  cluster: Cluster,
  { stdin, stdout, stderr }: Pick<NodeJS.Process, 'stdin' | 'stdout' | 'stderr'>,
  signal: AbortSignal,
): Promise<number> {
  const command = cluster.dialect.interactive({ walltimeSeconds: 3600, terminal: true })
  const terminal = { columns: stdout.columns ?? 80, rows: stdout.rows ?? 24 }
  await using shell = await cluster.connection.start(command, { signal, terminal })
  // With a terminal at the other end every key goes there as it is, Ctrl-C too; the practice cluster has none.
  const raw = stdin.isTTY && !cluster.practice
  const resize = () => shell.resize(stdout.columns, stdout.rows)
  try {
    if (raw) stdin.setRawMode(true)
    stdout.on('resize', resize)
    stdin.pipe(shell.stdin)
    shell.stdout.pipe(stdout, { end: false })
    shell.stderr.pipe(stderr, { end: false })
    return (await shell.exited).code
  } finally {
    if (raw) stdin.setRawMode(false)
    stdout.off('resize', resize)
    stdin.unpipe(shell.stdin)
    stdin.pause()
  }
}

export interface LogOptions {
  steps: number
  signal: AbortSignal
  onLine: (line: string) => void
}

/** Runs a job that prints a line now and then, and follows its output file; says how many lines came while it ran. */
export async function followLog(cluster: Cluster, folder: WorkFolder, { steps, signal, onLine }: LogOptions) {
  const script = 'step=1; while [ "$step" -le "$1" ]; do echo "step $step of $1"; step=$((step + 1)); sleep 1; done'
  const job: JobDescription = { name: 'steps', command: ['sh', '-c', script, 'sh', String(steps)], folder: folder.path }
  const submitted = folder.cancelAtTheEnd(await cluster.submit(job))
  const file = posix.join(folder.path, jobFiles('steps').out)
  await until(
    async () => (await cluster.connection.run(['test', '-f', file], { repeatable: true, signal })).code === 0,
    { timeoutMs: startTimeoutMs, everyMs: pollMs, signal, what: `${file} on the cluster` },
  )
  await using tail = await cluster.connection.start(['tail', '-n', '+1', '-f', file], { signal })
  const lines: string[] = []
  let live = 0
  let ended = false
  const reader = createInterface({ input: tail.stdout })
  reader.on('line', (line) => {
    lines.push(line)
    if (!ended) live++
    onLine(line)
  })
  const status = await untilEnded(cluster, submitted, signal)
  ended = true
  // The last ones may still be on their way.
  if (status.state === 'completed')
    await until(() => lines.length >= steps, { timeoutMs: startTimeoutMs, signal, what: 'all lines' })
  tail.kill()
  reader.close()
  return { lines, live }
}
