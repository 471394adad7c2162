/**
 * What to do when a job does not do what it should: ask why it waits, compare environments, open a shell, follow a log.
 */
import { posix } from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout as delay } from 'node:timers/promises'
import { until } from '@repo/common/async/until'
import { hasEnded, type JobDescription, type JobStatus, jobFiles, type SubmittedJob } from '../scheduler/job.ts'
import type { Command } from '../ssh/quote.ts'
import { askUntil } from './ask-until.ts'
import type { Cluster } from './cluster.ts'
import type { WorkFolder } from './work-folder.ts'

const pollMs = 200
const startTimeoutMs = 120_000

/**
 * Asks why a job waits, and answers in the scheduler's own words. Waits a little for a scheduler that has not looked at
 * the job yet.
 */
export async function whyItWaits(cluster: Cluster, job: SubmittedJob, signal: AbortSignal): Promise<string> {
  let why = await cluster.why(job)
  for (let waited = 0; /reason None|state Q$/.test(why) && waited < 5_000; waited += pollMs) {
    await delay(pollMs, undefined, { signal })
    why = await cluster.why(job)
  }
  return why
}

async function untilEnded(cluster: Cluster, job: SubmittedJob, signal: AbortSignal): Promise<JobStatus> {
  const isLast = (statuses: JobStatus[]) => statuses.every(({ state }) => hasEnded(state))
  const [status] = await askUntil(() => cluster.poll([job]), isLast, { signal, everyMs: pollMs })
  return status as JobStatus
}

const fromScheduler = /^(SLURM|PBS|CONDOR|_CONDOR|BATCH_SYSTEM|NCPUS$|OMPI|PMI)/

/**
 * Compares the variables of a job with those of the login shell. Returns values only for the scheduler's variables,
 * because any other may be a secret.
 */
export async function compareEnvironments(cluster: Cluster, folder: WorkFolder, signal: AbortSignal) {
  const command: Command = ['env', '-0']
  const login = readVariables(await cluster.connection.output(command, { repeatable: true, signal }))
  const printing: JobDescription = { name: 'environment', command: [...command], folder: folder.path }
  await untilEnded(cluster, folder.cancelAtTheEnd(await cluster.submit(printing)), signal)
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

/**
 * Types lines into a shell on a node, and returns what comes back. All real schedulers but Slurm insist on a terminal.
 */
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

/** Connects a terminal, such as this process's own, to a shell on a node. Returns the shell's exit code. */
export async function handOverTerminal(
  cluster: Cluster,
  { stdin, stdout, stderr }: Pick<NodeJS.Process, 'stdin' | 'stdout' | 'stderr'>,
  signal: AbortSignal,
): Promise<number> {
  const command = cluster.dialect.interactive({ walltimeSeconds: 3600, terminal: true })
  const terminal = { columns: stdout.columns ?? 80, rows: stdout.rows ?? 24 }
  await using shell = await cluster.connection.start(command, { signal, terminal })
  // The terminal at the other end handles all keys, including Ctrl-C. The practice cluster has no terminals.
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

/**
 * Runs a job that prints a line a second, and follows its output file. Returns the lines, and how many arrived while it
 * ran.
 */
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
  // The last lines may still be on their way.
  if (status.state === 'completed')
    await until(() => lines.length >= steps, { timeoutMs: startTimeoutMs, signal, what: 'all lines' })
  tail.kill()
  reader.close()
  return { lines, live }
}
