/**
 * A cluster as the examples use it: a connection to its login node, the dialect of its scheduler, and the few things one
 * does with jobs. The default is a practice cluster inside this program.
 */
import { randomUUID } from 'node:crypto'
import { posix } from 'node:path'
import { UsageError } from '@repo/common/example'
import { AsyncDisposableStack } from '@whatwg-node/disposablestack'
import { type Connection, type ConnectOptions, connect, type RunOptions } from './connection.ts'
import { dialectOf, probe, readProbe } from './dialects/dialects.ts'
import { readExitCodes, settle, withExitCodes } from './exit-codes.ts'
import { checkJob, type JobDescription, type JobStatus, type SubmittedJob } from './job.ts'
import { type PracticeCluster, type PracticeOptions, startPracticeCluster } from './practice/cluster.ts'
import { type Dialect, type NodeStatus, ParseError, type Question, type SchedulerName } from './scheduler.ts'
import { CommandError } from './ssh-errors.ts'

export interface ClusterOptions extends Omit<ConnectOptions, 'host'> {
  /** `[user@]host[:port]` or a Host of the configuration file; a practice cluster without it. */
  host?: string | undefined
  /** Found out when not given. */
  scheduler?: SchedulerName | undefined
  /** How the practice cluster shall be. */
  practice?: PracticeOptions
  /** How long a job may be neither in the queue nor have left an exit code before it counts as lost; 60 s. */
  patienceMs?: number
}

export interface Cluster extends AsyncDisposable {
  /** For readers: `user@host`, or that it is the practice cluster. */
  name: string
  connection: Connection
  dialect: Dialect
  /** The account's home folder, absolute. */
  home: string
  /** When no host was given. */
  practice: PracticeCluster | undefined
  /** How many commands were run on the login node to submit, and to poll. */
  commands: { submit: number; poll: number }
  /**
   * Writes the job's files and submits it. May be repeated with the same job, by this client or a later one, whatever
   * happened to the first attempt: a job of one name in one folder is submitted once.
   *
   * @throws {InvalidJobError} before anything is sent; {@link CommandError} with the scheduler's own words when it refuses
   */
  submit: (job: JobDescription) => Promise<SubmittedJob>
  /**
   * One status for each job and each task, by one command however many there are.
   *
   * @throws {@link ParseError} when the scheduler prints what nobody knows how to read
   */
  poll: (jobs: readonly SubmittedJob[]) => Promise<JobStatus[]>
  cancel: (job: SubmittedJob, tasks?: readonly number[]) => Promise<void>
  hold: (job: SubmittedJob) => Promise<void>
  release: (job: SubmittedJob) => Promise<void>
  /** Why a job waits, in the scheduler's own words. */
  why: (job: SubmittedJob) => Promise<string>
  nodes: () => Promise<NodeStatus[]>
  /**
   * What the scheduler answers to any question of its dialect.
   *
   * @throws {@link CommandError} or {@link ParseError}, which name the host
   */
  ask: <Answer>(question: Question<Answer>, options?: RunOptions) => Promise<Answer>
}

/**
 * Connects, and finds out which scheduler there is.
 *
 * @throws a UsageError when the scheduler is not there, a ConnectError, or the signal's reason
 */
export async function openCluster(options: ClusterOptions = {}): Promise<Cluster> {
  const { host, scheduler, signal, patienceMs = 60_000 } = options
  await using stack = new AsyncDisposableStack()
  let practice: PracticeCluster | undefined
  if (host === undefined) {
    practice = stack.use(
      await startPracticeCluster({ ...(scheduler && { schedulers: [scheduler] }), signal, ...options.practice }),
    )
  }
  const connection = stack.use(
    await connect(practice ? { ...options, ...addressOf(practice) } : { ...options, host: host ?? '' }),
  )
  const name = practice ? 'the practice cluster' : connection.name
  const found = readProbe(await connection.output(probe, { repeatable: true, signal }))
  if (practice) found.programs = found.programs.filter((program) => practice.programs.includes(program))
  const dialect = dialectOf(found, scheduler)
  if (!dialect) {
    const there = `on ${name} there is ${found.programs.join(', ') || 'no sbatch, qsub or condor_submit'}`
    if (scheduler) throw new UsageError('--scheduler', scheduler, `what the host has: ${there}`)
    throw new UsageError('--host', host ?? name, `a login node with a scheduler, but no scheduler found: ${there}`)
  }
  // What the account calls its home, which need not be where its sessions begin.
  const home = (await connection.output(['sh', '-c', 'cd "$HOME" && pwd'], { repeatable: true, signal })).trim()

  async function ask<Answer>({ command, parse, nothing }: Question<Answer>, options?: RunOptions): Promise<Answer> {
    const result = await connection.run(command, { repeatable: true, signal, ...options })
    if (result.code !== 0 && !nothing?.test(result.stderr)) throw new CommandError(name, command, result)
    return named(() => parse(result.stdout))
  }
  /** Names the host in what a parser says. */
  function named<Answer>(parse: () => Answer): Answer {
    try {
      return parse()
    } catch (error) {
      if (error instanceof ParseError) error.message = `${name}: ${error.message}`
      throw error
    }
  }

  const commands = { submit: 0, poll: 0 }
  const missingSince = new Map<string, number>()
  const owned = stack.move()
  return {
    ...{ name, connection, dialect, home, practice, commands },

    async submit(job) {
      checkJob(job)
      await connection.mkdir(job.folder, { signal })
      await Promise.all(
        dialect
          .files(job)
          .map(({ name: file, text, executable }) =>
            connection.writeFile(posix.join(job.folder, file), text, { mode: executable ? 0o755 : 0o644, signal }),
          ),
      )
      const { command, parse } = dialect.submit(job)
      commands.submit++
      const once = ['sh', '-c', submitOnce, 'sh', job.folder, job.name, ...command] as const
      const result = await connection.run(once, { repeatable: true, signal })
      if (result.code !== 0) throw new CommandError(name, command, result)
      const id = named(() => parse(result.stdout))
      return { id, name: job.name, folder: job.folder, ...(job.array && { array: job.array }) }
    },

    async poll(jobs) {
      if (jobs.length === 0) return []
      const { command, parse, nothing } = dialect.poll(jobs)
      const mark = `--${randomUUID()}`
      commands.poll++
      const { stdout, stderr } = await connection.run(withExitCodes(command, jobs, mark), { repeatable: true, signal })
      const { answer, code, exitCodes } = named(() => readExitCodes(stdout, command, jobs, mark))
      const isEmpty = code !== 0 && nothing?.test(stderr)
      if (code !== 0 && !isEmpty) throw new CommandError(name, command, { code, stdout: answer, stderr })
      const listed = isEmpty && answer.trim() === '' ? [] : named(() => parse(answer))
      return settle(jobs, listed, exitCodes, missingSince, { now: Date.now(), patienceMs, scheduler: dialect.title })
    },

    cancel: async (job, tasks) =>
      void (await connection.output(dialect.cancel(job, tasks), { repeatable: true, signal })),
    hold: async (job) => void (await connection.output(dialect.hold(job), { repeatable: true, signal })),
    release: async (job) => void (await connection.output(dialect.release(job), { repeatable: true, signal })),
    why: (job) => ask(dialect.why(job)),
    nodes: () => ask(dialect.nodes()),
    ask,
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  }
}

function addressOf({ host, port, user, identityFile, knownHostsFile }: PracticeCluster): ConnectOptions {
  return { host, port, user, identityFile, knownHostsFile, configFile: false, agent: false }
}

/**
 * Submits once, however often it is run: a folder can be made only once, and what the scheduler answered stays beside it.
 * The one who finds the folder there waits for that answer. A refused job may be submitted again.
 */
const submitOnce = [
  // A connection that is lost now must not end it halfway.
  'trap "" HUP',
  'cd "$1" || exit 1',
  'begun=.$2.submitting done=.$2.submitted; shift 2',
  'if mkdir "$begun" 2>/dev/null; then if "$@" >"$done.new"; then mv "$done.new" "$done"; else code=$?; cat "$done.new"; rmdir "$begun"; exit "$code"; fi; fi',
  'waited=0; until [ -s "$done" ]; do if [ "$waited" -ge 30 ]; then echo "submitted before, but no answer of the scheduler is known: look into its queue" >&2; exit 75; fi; waited=$((waited + 1)); sleep 1; done',
  'cat "$done"',
].join('; ')
