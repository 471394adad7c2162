/**
 * A real Slurm of two nodes on this machine: munged, slurmctld and a slurmd for each node, on free ports of the
 * loopback interface, as the current user, with all their files in a temporary folder. The system's own configuration
 * is neither read nor changed. On request it also has accounting and a REST interface.
 *
 * Where the system allows it, each node is a PID namespace: everything that a job starts, even a process that it
 * detaches, ends with the node. Killing a node's slurmd is then like pulling a machine's plug.
 */
import { execFile } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { access, mkdir, writeFile } from 'node:fs/promises'
import { availableParallelism, hostname, tmpdir, totalmem, userInfo } from 'node:os'
import { delimiter, dirname, join } from 'node:path'
import { promisify } from 'node:util'
import { type Child, startServer } from '@repo/common/process/child'
import { freePort, isListening, onFreePorts, onOldPort } from '@repo/common/process/ports'
import { temporaryFolder } from '@repo/common/process/temporary'
import { AsyncDisposableStack } from '@whatwg-node/disposablestack'
import { accountingSettings, startAccounting } from './accounting.ts'
import { type Rest, startRest, tokenSettings } from './rest.ts'
import { findProgram, pathOfServers, type Restartable, type Start } from './server-programs.ts'

const nodeNames = ['n1', 'n2'] as const
export type NodeName = (typeof nodeNames)[number]

export interface SlurmCluster extends AsyncDisposable {
  /** The variables by which sbatch, squeue and the others find this cluster. */
  environment: { SLURM_CONF: string; PATH: string; SLURMRESTD_LISTEN?: string }
  /** slurmctld, which accepts jobs. */
  controller: Child
  /** slurmdbd; undefined if accounting was not requested. */
  accounting: Restartable | undefined
  /** Undefined if it was not requested. */
  rest: Rest | undefined
  /** The slurmd of each node. Tests kill it, and `startNode` brings it back. */
  nodes: Record<NodeName, Child>
  startNode: (name: NodeName) => Promise<void>
  /** Cores of each node. */
  cores: number
  /** For files of jobs, which all nodes share. */
  folder: string
}

export interface SlurmOptions {
  signal?: AbortSignal | undefined
  /** Cores of each node, as Slurm is told; by default as many as this machine has. */
  cores?: number | undefined
  /**
   * Gives up on a node after a few seconds of silence, and restarts its jobs at once. Only for tests of that: on a busy
   * machine it would give up on healthy nodes too.
   */
  impatient?: boolean | undefined
  /** Whether it has accounting (sacct). The database needs some seconds to start. See findAccounting. */
  accounting?: boolean | undefined
  /** Whether it has a REST interface. See findRest. */
  rest?: boolean | undefined
}

/** A socket's path has 107 bytes at most, and below the folder a job's steps have some of up to 26: `/n1/n1_12345.4294967291`. */
const longestFolder = 107 - 26

/** Whether this machine has Slurm's and munge's programs. */
export async function findSlurm(): Promise<boolean> {
  const found = await Promise.all(['munged', 'slurmctld', 'slurmd', 'sbatch', 'qsub'].map(findProgram))
  return process.platform === 'linux' && found.every(Boolean)
}

/**
 * Starts Slurm and waits until both nodes are idle. Disposing of it ends it with its jobs.
 *
 * @throws an Error with the output of a server that does not start, or of one line if TMPDIR is too long
 */
export async function startSlurmCluster(options: SlurmOptions = {}): Promise<SlurmCluster> {
  return await onFreePorts(() => tryToStart(options))
}

async function tryToStart({
  signal,
  cores = availableParallelism(),
  impatient = false,
  accounting: withAccounting = false,
  rest: withRest = false,
}: SlurmOptions): Promise<SlurmCluster> {
  await using stack = new AsyncDisposableStack()
  const folder = stack.use(await temporaryFolder()).path
  if (Buffer.byteLength(folder) > longestFolder) {
    throw new Error(`${tmpdir()} is too long for Slurm's sockets below it; TMPDIR may name a shorter folder`)
  }
  const own = <Server extends AsyncDisposable>(server: Server) => stack.use(server)
  const isolation = await namespaces()
  const ports = { controller: await freePort(), n1: await freePort(), n2: await freePort() }
  const accountingPort = withAccounting ? await freePort() : undefined

  const key = join(folder, 'munge.key')
  const socket = join(folder, 'munge.socket')
  const configuration = join(folder, 'slurm.conf')
  await writeFile(key, randomBytes(128), { mode: 0o400 })
  // A job that has lost its node restarts once its credential has expired.
  const authentication = [
    'AuthType=auth/munge',
    `AuthInfo=socket=${socket},cred_expire=${impatient ? 5 : 60}`,
    ...(withRest ? await tokenSettings(folder) : []),
  ]
  await writeFile(configuration, settings({ folder, socket, authentication, ports, accountingPort, cores, impatient }))
  for (const name of ['state', 'home', ...nodeNames]) await mkdir(join(folder, name))
  const environment: SlurmCluster['environment'] = {
    SLURM_CONF: configuration,
    // Jobs run with the Node that runs this program.
    PATH: [dirname(process.execPath), pathOfServers].join(delimiter),
  }

  const start: Start = async (command, args, ready, { launcher = [], env = {} } = {}) => {
    const [first = command, ...rest] = [...launcher, command, ...args]
    // unshare ignores SIGTERM, so there is nothing to wait for.
    const stopTimeoutMs = launcher.length > 0 ? 0 : 3_000
    const server = { command: first, args: rest, env: { ...environment, ...env }, cwd: folder, signal }
    return await startServer({ ...server, ready, stopTimeoutMs })
  }
  const says = async (pattern: RegExp, program: string, ...args: string[]) => {
    const env = { ...process.env, ...environment }
    const { stdout } = await promisify(execFile)(program, args, { env, timeout: 5_000 }).catch(() => ({ stdout: '' }))
    return pattern.test(stdout)
  }

  const files = ['socket', 'pid', 'seed', 'log'].map(
    (name) => `--${name}${name === 'socket' ? '' : '-file'}=${join(folder, `munge.${name}`)}`,
  )
  const mungeIsThere = () =>
    access(socket).then(
      () => true,
      () => false,
    )
  stack.use(await start('munged', ['--foreground', '--force', `--key-file=${key}`, ...files], mungeIsThere))
  // Without its database, slurmctld would not start for the first time.
  const accounting =
    accountingPort === undefined
      ? undefined
      : await startAccounting({ folder, port: accountingPort, authentication, start, own })
  const controller = stack.use(await start('slurmctld', ['-D', '-i'], () => says(/UP/, 'scontrol', 'ping')))

  const startNode = (name: NodeName) =>
    // Until it listens, sinfo may still show the state of its predecessor.
    start(
      'slurmd',
      ['-D', '-N', name],
      async () =>
        (await isListening(ports[name])) &&
        (await says(/^(idle|mixed|allocated|completing)/i, 'sinfo', '-h', '-n', name, '-o', '%T')),
      { launcher: isolation },
    )
  // Each is put on the stack at once, because the other one may fail.
  const nodes = {} as Record<NodeName, Child>
  const firstStart = async (name: NodeName) => {
    nodes[name] = await startNode(name)
    stack.defer(async () => void (await nodes[name].stop()))
  }
  const [failed] = (await Promise.allSettled(nodeNames.map(firstStart))).filter(({ status }) => status === 'rejected')
  if (failed?.status === 'rejected') throw failed.reason

  const rest = withRest ? await startRest({ folder, accounting: withAccounting, start, own }) : undefined
  if (rest) environment.SLURMRESTD_LISTEN = rest.socket

  const owned = stack.move()
  return {
    environment,
    controller,
    accounting,
    rest,
    nodes,
    cores,
    folder: join(folder, 'home'),
    async startNode(name) {
      await nodes[name].stop()
      nodes[name] = await onOldPort(() => startNode(name), { signal })
    },
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  }
}

interface Settings {
  folder: string
  socket: string
  /** How the servers and the commands trust each other. */
  authentication: string[]
  accountingPort: number | undefined
  ports: Record<NodeName | 'controller', number>
  cores: number
  impatient: boolean
}

/** Writes slurm.conf (see its manual page). The scheduler checks its queue constantly, because nobody shares it. */
function settings({ folder, socket, authentication, accountingPort, ports, cores, impatient }: Settings): string {
  const seconds = impatient ? { node: 10, answer: 5, end: 1 } : { node: 60, answer: 30, end: 5 }
  const { username } = userInfo()
  const memoryMb = Math.floor(totalmem() / 2 ** 20 / nodeNames.length)
  const nodes = nodeNames.map(
    (name) =>
      `NodeName=${name} NodeHostname=${hostname()} NodeAddr=127.0.0.1 Port=${ports[name]} CPUs=${cores} RealMemory=${memoryMb}`,
  )
  return `
ClusterName=practice
SlurmctldHost=${hostname()}(127.0.0.1)
SlurmctldPort=${ports.controller}
SlurmUser=${username}
SlurmdUser=${username}
${authentication.join('\n')}
StateSaveLocation=${join(folder, 'state')}
SlurmdSpoolDir=${join(folder, '%n')}
SlurmctldPidFile=${join(folder, 'slurmctld.pid')}
SlurmdPidFile=${join(folder, '%n.pid')}
SlurmctldLogFile=${join(folder, 'slurmctld.log')}
SlurmdLogFile=${join(folder, '%n.log')}
# No control groups, which need root and a system that has them.
ProctrackType=proctrack/pgid
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
${accountingPort === undefined ? 'AccountingStorageType=accounting_storage/none' : accountingSettings({ port: accountingPort, socket })}
MpiDefault=none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
DefMemPerCPU=${Math.floor(memoryMb / cores / 2)}
# Believe the number of cores in this file, not the machine's.
SlurmdParameters=config_overrides
SchedulerParameters=batch_sched_delay=0,sched_interval=1,bf_interval=1,default_queue_depth=1000
MaxArraySize=10001
MaxJobCount=20000
MinJobAge=30
# After this much silence a node is given up, with its jobs.
SlurmdTimeout=${seconds.node}
MessageTimeout=${seconds.answer}
BatchStartTimeout=${seconds.answer}
KillWait=${seconds.end}
ReturnToService=2
${nodes.join('\n')}
PartitionName=practice Nodes=${nodeNames.join(',')} Default=YES MaxTime=24:00:00 State=UP
`
}

/** A command that creates a PID namespace and ends with it; empty where the system does not allow one. */
async function namespaces(): Promise<string[]> {
  const asRoot = ['unshare', '--pid', '--fork', '--kill-child=SIGKILL', '--mount-proc']
  for (const [command = '', ...args] of [asRoot, [...asRoot, '--user', '--map-current-user']]) {
    const works = await promisify(execFile)(command, [...args, 'true']).then(
      () => true,
      () => false,
    )
    // The shell is the namespace's first process, which inherits orphans. Unlike slurmd, it reaps them.
    if (works) return [command, ...args, 'sh', '-c', '"$@" & wait', 'sh']
  }
  return []
}
