/**
 * A cluster to practise on: a login node that speaks SSH, the commands of the four schedulers, and a small queue that
 * runs the jobs as processes on this machine, in a temporary home folder. Its nodes are only names.
 *
 * All of it lives in this process and its children, and ends with this process, even if the process is killed.
 */
import { createHash, randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { chmod, mkdir, writeFile } from 'node:fs/promises'
import { createServer, type Socket } from 'node:net'
import { availableParallelism } from 'node:os'
import { delimiter, dirname, join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { temporaryFolder } from '@repo/common/process/temporary'
import { AsyncDisposableStack } from '@whatwg-node/disposablestack'
import ssh2 from 'ssh2'
import { type Answer, type Call, CommandError, type CommandProgram, type Faults } from './commands.ts'
import { htcondorCommands } from './htcondor/list.ts'
import { startLogin } from './login.ts'
import { type SchedulerName, schedulerNames } from './notation.ts'
import { pbsCommands, torqueCommands } from './pbs.ts'
import { BatchQueue } from './queue.ts'
import { slurmCommands } from './slurm/list.ts'

export interface PracticeOptions {
  /** Number of nodes, called n1, n2 and so on; 2 by default. */
  nodes?: number
  /** Cores of each node; by default as many as this machine has. */
  slots?: number
  /**
   * The schedulers whose commands its shell offers; all four by default. Where two have a command with the same name
   * (qsub), the first wins.
   */
  schedulers?: readonly SchedulerName[]
  /** Whether Slurm's accounting (sacct) and the job history of PBS (qstat -x) are on; true by default. */
  accounting?: boolean
  /** Faults from the beginning; the cluster's `faults` may be changed at any time. */
  faults?: Partial<Faults>
  /** Time between SIGTERM and SIGKILL at the end of the walltime; 2 s by default. */
  killWaitMs?: number
  /** Jobs that may wait or run at once; 10,000 by default. */
  mostJobs?: number
  /** Ends the cluster. */
  signal?: AbortSignal | undefined
}

export interface PracticeCluster extends AsyncDisposable {
  host: string
  port: number
  user: string
  /** The private key that may log in. */
  identityFile: string
  /** A known_hosts file with the login node's key. */
  knownHostsFile: string
  /** The fingerprint of that key, `SHA256:…`. */
  hostKey: string
  /** The user's home folder, on this machine. */
  home: string
  faults: Faults
  queue: BatchQueue
  /** The commands that its shell offers. This machine may also have some of its own. */
  programs: string[]
  /** Kills a node with everything that runs on it. */
  failNode: (name: string) => void
  restoreNode: (name: string) => void
  /** Cuts every open connection to the login node. New ones are accepted. */
  cutConnections: () => void
}

const user = 'practice'
const commands: Record<SchedulerName, Record<string, CommandProgram>> = {
  slurm: slurmCommands,
  pbs: pbsCommands,
  torque: torqueCommands,
  htcondor: htcondorCommands,
}
const memoryMb = 4096
/** Variables that jobs and shells inherit. With EXAMPLE_RUN, tests find processes that were left behind. */
const inherited = ['LANG', 'TZ', 'TMPDIR', 'EXAMPLE_RUN']

/**
 * Starts a practice cluster on a free port of the loopback interface.
 *
 * @throws an Error on Windows: jobs are POSIX shell scripts
 */
export async function startPracticeCluster(options: PracticeOptions = {}): Promise<PracticeCluster> {
  const { nodes = 2, slots = availableParallelism(), schedulers = schedulerNames, signal } = options
  if (process.platform === 'win32') throw new Error('the practice cluster needs a POSIX shell: run it in WSL')
  signal?.throwIfAborted()
  await using stack = new AsyncDisposableStack()
  const folder = stack.use(await temporaryFolder()).path
  const home = join(folder, 'home')
  const spool = join(folder, 'spool')
  for (const path of [home, spool, join(folder, 'programs')]) await mkdir(path)

  const faults: Faults = { slowAccountingMs: 0, garbled: 0, quotaBytes: Number.POSITIVE_INFINITY, ...options.faults }
  const token = randomUUID()
  const offered = await writePrograms(folder, schedulers)
  const offer = createServer((socket) => void serve(socket))
  offer.listen(0, '127.0.0.1')
  await once(offer, 'listening')
  const { port: commandPort } = offer.address() as { port: number }
  const environment: Record<string, string | undefined> = {
    // A child process inherits this process's variables: undefined removes each.
    ...Object.fromEntries(Object.keys(process.env).map((name) => [name, undefined])),
    ...Object.fromEntries(inherited.flatMap((name) => (process.env[name] ? [[name, process.env[name]]] : []))),
    PATH: [...offered, dirname(process.execPath), process.env.PATH].join(delimiter),
    HOME: home,
    USER: user,
    LOGNAME: user,
    SHELL: '/bin/sh',
    PRACTICE_PORT: String(commandPort),
    PRACTICE_TOKEN: token,
  }
  const queue = new BatchQueue({
    nodes: Array.from({ length: nodes }, (_, at) => ({ name: `n${at + 1}`, cores: slots, memoryMb })),
    environment,
    killWaitMs: options.killWaitMs,
    mostJobs: options.mostJobs,
  })
  stack.use(queue)
  const sockets = new Set<Socket>()
  stack.defer(async () => {
    const closed = once(offer, 'close')
    offer.close()
    for (const socket of sockets) socket.destroy()
    await closed
  })

  async function serve(socket: Socket) {
    sockets.add(socket)
    const hungUp = new AbortController()
    socket.on('error', () => {})
    socket.on('close', () => {
      sockets.delete(socket)
      hungUp.abort()
    })
    hungUp.signal.addEventListener('abort', () => socket.destroy())
    const send = (message: object) => void (socket.writable && socket.write(`${JSON.stringify(message)}\n`))
    const lines = createInterface({ input: socket })[Symbol.asyncIterator]()
    const receive = async <Message>() => {
      const { value, done } = await lines.next()
      if (done) throw new Error('the program has gone')
      return JSON.parse(value) as Message
    }
    try {
      const request = await receive<Pick<Call, 'program' | 'args' | 'folder' | 'environment'> & { token: string }>()
      // Any user on this machine can reach the port.
      if (request.token !== token) throw new Error('another user')
      const program = schedulers.map((name) => commands[name][request.program]).find(Boolean)
      const call: Call = {
        ...request,
        queue,
        faults,
        user,
        spool,
        hungUp,
        accounting: options.accounting ?? true,
        async stdin() {
          send({ stdin: true })
          return (await receive<{ stdin: string }>()).stdin
        },
        async run(runs) {
          send({ run: runs })
          return (await receive<{ ended: number }>()).ended
        },
        say: (say) => send({ say }),
      }
      send({ answer: garble(await answerTo(program, call), faults) })
    } catch {
      socket.destroy()
    }
  }

  const { hostKey, identityFile, publicKey } = await writeKeys(folder)
  const login = stack.use(await startLogin({ hostKey: hostKey.private, publicKey, user, home, environment, faults }))
  const knownHostsFile = join(folder, 'known_hosts')
  await writeFile(knownHostsFile, `[127.0.0.1]:${login.port} ${hostKey.public}\n`)
  const digest = createHash('sha256').update(Buffer.from(hostKey.public.split(' ')[1] ?? '', 'base64'))

  const owned = stack.move()
  const dispose = () => owned.disposeAsync()
  signal?.addEventListener('abort', () => void dispose())
  return {
    host: '127.0.0.1',
    port: login.port,
    user,
    identityFile,
    knownHostsFile,
    hostKey: `SHA256:${digest.digest('base64').replace(/=+$/, '')}`,
    home,
    faults,
    queue,
    programs: schedulers.flatMap((name) => Object.keys(commands[name])),
    failNode: (name) => queue.failNode(name),
    restoreNode: (name) => queue.restoreNode(name),
    cutConnections: login.cutConnections,
    [Symbol.asyncDispose]: dispose,
  }
}

async function answerTo(program: CommandProgram | undefined, call: Call): Promise<Answer> {
  if (!program) return { stderr: `${call.program}: not offered here\n`, code: 127 }
  try {
    return await program(call)
  } catch (error) {
    if (error instanceof CommandError) return { stderr: `${error.message}\n`, code: error.code }
    throw error
  }
}

function garble(answer: Answer, faults: Faults): Answer {
  if (faults.garbled <= 0) return answer
  faults.garbled--
  return { ...answer, stdout: `${(answer.stdout ?? '').slice(0, 10)}\u{fffd}\u{1b}[0m <html>502 Bad Gateway` }
}

/**
 * Writes a small program for each command, in a folder for each scheduler, and a `hostname` that knows the nodes'
 * names.
 */
async function writePrograms(folder: string, schedulers: readonly SchedulerName[]): Promise<string[]> {
  const client = fileURLToPath(new URL('./command.program.mjs', import.meta.url))
  const quote = (path: string) => `'${path.replaceAll("'", `'\\''`)}'`
  const write = async (file: string, line: string) => {
    await writeFile(file, `#!/bin/sh\n${line}\n`)
    await chmod(file, 0o755)
  }
  const folders = await Promise.all(
    schedulers.map(async (name) => {
      const programs = join(folder, 'programs', name)
      await mkdir(programs, { recursive: true })
      for (const program of Object.keys(commands[name])) {
        await write(join(programs, program), `exec ${quote(process.execPath)} ${quote(client)} ${program} "$@"`)
      }
      return programs
    }),
  )
  const common = join(folder, 'programs')
  await write(join(common, 'hostname'), 'test -n "$PRACTICE_NODE" && echo "$PRACTICE_NODE" || echo login')
  return [common, ...folders]
}

async function writeKeys(folder: string) {
  const hostKey = newKeyPair('host')
  const { private: privateKey, public: publicKey } = newKeyPair(user)
  const identityFile = join(folder, 'id_ed25519')
  await writeFile(identityFile, privateKey, { mode: 0o600 })
  await writeFile(`${identityFile}.pub`, `${publicKey}\n`)
  return { hostKey, identityFile, publicKey }
}

/** Makes an ed25519 key pair that ssh2 can read. */
export function newKeyPair(comment: string) {
  for (;;) {
    const pair = ssh2.utils.generateKeyPairSync('ed25519', { comment })
    // ssh2 1.17 drops the first byte of a key when that byte is zero, as in one key out of 256.
    if (!(ssh2.utils.parseKey(pair.public) instanceof Error)) return pair
  }
}
