/**
 * A cluster as the examples use it: a connection to its login node, the dialect of its scheduler, and the operations on
 * jobs. By default it is a practice cluster inside this program.
 */
import { randomUUID } from 'node:crypto'
import { posix } from 'node:path'
import { requireMs } from '@repo/common/async/timer'
import { until } from '@repo/common/async/until'
import { UsageError } from '@repo/common/example/usage'
import { type PracticeCluster, type PracticeOptions, startPracticeCluster } from '@repo/practice-cluster/cluster'
import type { SchedulerName } from '@repo/practice-cluster/notation'
import { AsyncDisposableStack } from '@whatwg-node/disposablestack'
import { keyOf, readExitCodes, settle, withExitCodes } from '../scheduler/exit-codes.ts'
import { checkJob, type JobDescription, type JobStatus, type SubmittedJob } from '../scheduler/job.ts'
import { dialectOf, probe, readProbe } from '../scheduler/probe.ts'
import { type Dialect, type ListedJob, type NodeStatus, ParseError, type Question } from '../scheduler/scheduler.ts'
import { acceptedAddress, readAddress, restSite, slurmRest } from '../scheduler/slurm-rest.ts'
import { type Connection, type ConnectOptions, connect, type RunOptions } from '../ssh/connection.ts'
import { CommandError } from '../ssh/errors.ts'
import type { Command } from '../ssh/quote.ts'

export interface ClusterOptions extends Omit<ConnectOptions, 'host'> {
  /** `[user@]host[:port]` or a Host from the SSH configuration; a practice cluster by default. */
  host?: string | undefined
  /** Detected by default. */
  scheduler?: SchedulerName | undefined
  /**
   * How to talk to the scheduler: by its commands, the default, or by Slurm's REST interface. That is where the login
   * node says in SLURMRESTD_LISTEN, or at a given address.
   */
  via?: string | undefined
  /** For the practice cluster. */
  practice?: PracticeOptions
  /** How long a job may be missing from the queue without an exit code before it counts as lost; 60 s. */
  patienceMs?: number
}

export interface Cluster extends AsyncDisposable {
  /** For readers: `user@host`, or `the practice cluster`. */
  name: string
  connection: Connection
  dialect: Dialect
  /** As the reader named it; undefined for the practice cluster. */
  host: string | undefined
  /** The absolute path of the account's home folder. */
  home: string
  /** The practice cluster, if no host was given. */
  practice: PracticeCluster | undefined
  /** How many commands were run on the login node to submit, and to poll. */
  commands: { submit: number; poll: number }
  /**
   * Writes the job's files and submits it. Repeating this with the same job is safe, whatever happened to the first
   * attempt and whichever client made it: a job with one name in one folder is submitted once. If the scheduler's
   * answer was lost, the queue is searched.
   *
   * @throws {InvalidJobError} before anything is sent; {@link CommandError} with the scheduler's words when it refuses
   */
  submit: (job: JobDescription) => Promise<SubmittedJob>
  /**
   * Returns a status for each job and each task, with one command for any number of them.
   *
   * @throws {@link ParseError} when the scheduler's output has an unknown form
   */
  poll: (jobs: readonly SubmittedJob[]) => Promise<JobStatus[]>
  cancel: (job: SubmittedJob, tasks?: readonly number[]) => Promise<void>
  hold: (job: SubmittedJob) => Promise<void>
  release: (job: SubmittedJob) => Promise<void>
  /** Why a job waits, in the scheduler's own words. */
  why: (job: SubmittedJob) => Promise<string>
  /** All jobs of the user, including those that other programs have submitted. */
  queue: () => Promise<ListedJob[]>
  nodes: () => Promise<NodeStatus[]>
  /**
   * Runs any question of the scheduler's dialect.
   *
   * @throws {@link CommandError} or {@link ParseError}, which name the host
   */
  ask: <Answer>(question: Question<Answer>, options?: RunOptions) => Promise<Answer>
}

/**
 * Connects to a cluster, and finds out which scheduler it has.
 *
 * @throws a UsageError if the cluster does not have the wanted scheduler, a ConnectError, or the signal's reason
 */
export async function openCluster(options: ClusterOptions = {}): Promise<Cluster> {
  const { host, scheduler, via = 'commands', signal, patienceMs = 60_000 } = options
  requireMs(patienceMs, 'patienceMs')
  if (via !== 'commands' && host === undefined) {
    throw new UsageError(
      '--via',
      via,
      'commands: the practice cluster has no slurmrestd; --host names a Slurm that has one',
    )
  }
  await using stack = new AsyncDisposableStack()
  let practice: PracticeCluster | undefined
  if (host === undefined) {
    practice = stack.use(
      await startPracticeCluster({ ...(scheduler && { schedulers: [scheduler] }), signal, ...options.practice }),
    )
  }
  const connection = stack.use(
    await connect(practice ? { ...options, ...practiceOptions(practice) } : { ...options, host: host ?? '' }),
  )
  const name = practice ? 'the practice cluster' : connection.name
  /**
   * Runs a command, and leaves out what the account's start-up files print before it: a number there is no job's id.
   */
  async function run(command: Command, options?: RunOptions) {
    const mark = `--${randomUUID()}`
    const marking = ['sh', '-c', 'echo "$0"; exec "$@"', mark, ...command] as const
    const result = await connection.run(marking, { repeatable: true, signal, ...options })
    const at = result.stdout.indexOf(`${mark}\n`)
    return at < 0 ? result : { ...result, stdout: result.stdout.slice(at + mark.length + 1) }
  }
  async function output(command: Command, options?: RunOptions): Promise<string> {
    const result = await run(command, options)
    if (result.code !== 0) throw new CommandError(name, command, result)
    return result.stdout
  }
  const found = readProbe(await output(probe))
  if (practice) found.programs = found.programs.filter((program) => practice.programs.includes(program))
  let dialect = dialectOf(found, scheduler)
  if (!dialect) {
    const there = `on ${name} there is ${found.programs.join(', ') || 'no sbatch, qsub or condor_submit'}`
    if (scheduler) throw new UsageError('--scheduler', scheduler, `what the host has: ${there}`)
    throw new UsageError('--host', host ?? name, `a login node with a scheduler, but no scheduler found: ${there}`)
  }
  if (via !== 'commands') {
    if (dialect.name !== 'slurm') throw new UsageError('--via', via, `commands: ${dialect.title} has no REST interface`)
    const site = restSite.parse(await output(restSite.command))
    const address = via === 'rest' ? site.address : via
    if (!readAddress(address)) {
      const there = `on ${name} SLURMRESTD_LISTEN is ${JSON.stringify(site.address)}`
      throw new UsageError('--via', via, `the address of slurmrestd, ${acceptedAddress}: ${there}`)
    }
    dialect = slurmRest({ ...site, address, accounting: found.accounting })
  }
  // The home folder that the account names, which need not be where its sessions begin.
  const account = ['sh', '-c', 'echo "$LOGNAME"; cd "$HOME" && pwd'] as const
  const [, user = '', home = ''] = /^(.*)\n(.*)\n$/.exec(await output(account)) ?? []

  async function ask<Answer>(question: Question<Answer>, options?: RunOptions): Promise<Answer> {
    const { command, parse, nothing, instead } = question
    const result = await run(command, options)
    const other = result.code !== 0 && instead?.(result)
    if (other) return await ask(other, options)
    if (result.code !== 0 && !nothing?.(result)) throw new CommandError(name, command, result)
    return named(() => parse(result.stdout))
  }
  /** Adds the host to a parser's error. */
  function named<Answer>(parse: () => Answer): Answer {
    try {
      return parse()
    } catch (error) {
      if (error instanceof ParseError) error.message = `${name}: ${error.message}`
      throw error
    }
  }

  const queue = () => ask(dialect.queue(user))
  /** Looks in the queue for a job whose submission was not answered. Returns its id if the scheduler has it. */
  async function lookFor({ name, folder }: JobDescription): Promise<string | undefined> {
    // Behind a symbolic link a folder has two paths.
    const paths = [folder, (await output(['pwd', '-P'], { cwd: folder })).trimEnd()]
    // A dialect may have added something to the name.
    const isIt = (listed: ListedJob) =>
      `${listed.name}-`.startsWith(`${name}-`) && listed.folder !== undefined && paths.includes(listed.folder)
    return (await queue()).find(isIt)?.id
  }

  const commands = { submit: 0, poll: 0 }
  const missingSince = new Map<string, number>()
  const cancelled = new Set<string>()
  const poll = async (jobs: readonly SubmittedJob[]): Promise<JobStatus[]> => {
    if (jobs.length === 0) return []
    commands.poll++
    const mark = `--${randomUUID()}`
    const { command, parse, nothing, instead } = dialect.poll(jobs)
    const { stdout, stderr } = await run(withExitCodes(command, jobs, mark))
    const { answer, code, exitCodes } = named(() => readExitCodes(stdout, command, jobs, mark))
    const result = { code, stdout: answer, stderr }
    if (code !== 0 && instead?.(result)) return await poll(jobs)
    const isEmpty = code !== 0 && nothing?.(result)
    if (code !== 0 && !isEmpty) throw new CommandError(name, command, result)
    const listed = isEmpty && answer.trim() === '' ? [] : named(() => parse(answer))
    const options = { now: Date.now(), patienceMs, scheduler: dialect.title, cancelled }
    return settle(jobs, listed, exitCodes, missingSince, options)
  }

  const owned = stack.move()
  return {
    name,
    connection,
    dialect,
    host,
    home,
    practice,
    commands,

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
      const { command, parse, words } = dialect.submit(job)
      commands.submit++
      const submitted = (id: string) => ({
        id,
        name: job.name,
        folder: job.folder,
        ...(job.array && { array: job.array }),
      })
      const inFolder = (script: string, ...args: string[]) =>
        run(['sh', '-c', script, 'sh', job.folder, job.name, ...args])
      const deadline = performance.now() + answerMs
      for (;;) {
        const result = await inFolder(submitOnce, ...command)
        if (result.code === 0) {
          const [, found] = /^found (\S+)\n$/.exec(result.stdout) ?? []
          const id = found ?? named(() => parse(result.stdout))
          // A site's own sbatch may print numbers before or after the id. The queue shows which of them is the job's.
          const isOneOfSeveral = new Set(result.stdout.match(/^\d.*$/gm)).size > 1
          return submitted((isOneOfSeveral && (await lookFor(job).catch(() => undefined))) || id)
        }
        // The scheduler may have accepted the job and its answer been lost. The job was refused only if the queue lacks
        // it.
        const refusal = new CommandError(name, command, { ...result, stderr: words?.(result) ?? result.stderr })
        const look = () => lookFor(job)
        const mayAppear = lostAnswer.test(refusal.stderr)
        const looked = mayAppear ? until(look, { timeoutMs: lostMs, everyMs: 1_000, signal }).catch(look) : look()
        let id: string | undefined
        try {
          id = await looked
        } catch {
          if (result.code === noAnswer && performance.now() < deadline) continue
          throw refusal
        }
        if (id !== undefined) await inFolder(remember, id)
        else if (result.code !== noAnswer) {
          await inFolder(forget)
          throw refusal
        } else if ((await inFolder(forgetOld)).code !== 0 && performance.now() > deadline) throw refusal
      }
    },

    poll,
    async cancel(job, tasks) {
      await connection.output(dialect.cancel(job, tasks), { repeatable: true, signal })
      for (const task of tasks ?? job.array ?? [undefined]) {
        // What was missing before has ended in another way.
        if (!missingSince.has(keyOf(job.id, task))) cancelled.add(keyOf(job.id, task))
      }
    },
    hold: async (job) => void (await connection.output(dialect.hold(job), { repeatable: true, signal })),
    release: async (job) => void (await connection.output(dialect.release(job), { repeatable: true, signal })),
    why: (job) => ask(dialect.why(job)),
    queue,
    nodes: () => ask(dialect.nodes()),
    ask,
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  }
}

/**
 * How to connect to a practice cluster. Its host key is known, so no file needs to be searched for it: this works
 * without OpenSSH on this machine.
 */
export function practiceOptions({ host, port, user, identityFile, hostKey }: PracticeCluster): ConnectOptions {
  const nothingElse = { configFile: false, knownHostsFile: false, agent: false } as const
  return { host, port, user, identityFile, acceptNewHost: hostKey, ...nothingElse }
}

/** The exit code that means: another client has begun this submission and has no answer yet. */
const noAnswer = 75
/** How long another client's submission may take. */
const answerMs = 30_000
/** A scheduler that did not answer in time may still accept the job later: the queue is watched for this long. */
const lostMs = 10_000
const lostAnswer =
  /timed out|timeout|unable to contact|connection|communication|zero bytes|empty reply|end of file|transport/i

// #region submit-once
/**
 * Submits a job once, however often this script runs. A folder can be made only once, and the scheduler's answer stays
 * in a file beside it. A client that finds the folder waits briefly for the answer. If none comes, the queue has to
 * show what became of the job before the folder is removed and the job may be submitted again.
 */
const submitOnce = [
  // A lost connection must not end the script halfway.
  'trap "" HUP; cd "$1" || exit 1;',
  'begun=.$2.submitting done=.$2.submitted; shift 2;',
  // Only one client can make the folder. That client submits.
  'if mkdir "$begun" 2>/dev/null; then',
  '  if "$@" >"$done.new"; then mv "$done.new" "$done";',
  `  else code=$?; cat "$done.new"; [ "$code" != ${noAnswer} ] || code=1; exit "$code"; fi;`,
  'fi;',
  // Any other waits for its answer.
  'waited=0;',
  'until [ -s "$done" ]; do',
  '  if [ "$waited" -ge 2 ]; then',
  '    echo "begun before, without an answer, and not in the queue; may be submitted again ten minutes after that" >&2;',
  `    exit ${noAnswer};`,
  '  fi;',
  '  waited=$((waited + 1)); sleep 1;',
  'done;',
  'cat "$done"',
].join(' ')
// #endregion submit-once
const remember = 'cd "$1" && echo "found $3" >".$2.submitted.new" && mv ".$2.submitted.new" ".$2.submitted"'
const forget = 'cd "$1" && rmdir ".$2.submitting"'
/** After ten minutes no scheduler will still accept the job. If it has never run, the client that began has died. */
const forgetOld = `cd "$1" && test -n "$(find ".$2.submitting" -maxdepth 0 -mmin +10)" && test -z "$(ls "$2.out" "$2".*.out 2>/dev/null)" && rmdir ".$2.submitting"`
