/**
 * This machine's OpenSSH server, like a cluster's login node: started by the current user on a free port of the
 * loopback interface, with its host key, the user's key and all settings in a temporary folder. Only the current user
 * can log in, with that key. None of the system's or the user's own SSH files are read or changed.
 *
 * HOME is an empty folder, so that the user's own shell start-up files, which may be slow, are not read. Two things
 * cannot be moved. A session begins in the account's home folder, as the system knows it. And a server started by root
 * needs the empty folder /run/sshd, whose name is compiled in: it is created if missing, as the system's own service
 * does.
 */
import { execFile } from 'node:child_process'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { connect } from 'node:net'
import { userInfo } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { type Child, startServer } from '@repo/common/process/child'
import { freePort, onFreePorts, onOldPort } from '@repo/common/process/ports'
import { temporaryFolder } from '@repo/common/process/temporary'
import { AsyncDisposableStack } from '@whatwg-node/disposablestack'
import type { ConnectOptions } from '../ssh/connection.ts'
import { findProgram } from './server-programs.ts'

const execute = promisify(execFile)

/** The command that installs it, for messages. */
export const installOpenSsh = 'sudo apt-get install openssh-server openssh-client'

export interface OpenSsh extends AsyncDisposable {
  host: string
  port: number
  user: string
  /** The private key that may log in; the public key is beside it, with `.pub`. */
  identityFile: string
  /** A known_hosts file with the server's key. */
  knownHostsFile: string
  /** For files of a test; removed with the server. */
  folder: string
  /** For `connect`, without the user's own configuration and agent. */
  options: ConnectOptions & { host: string; port: number; user: string; identityFile: string; knownHostsFile: string }
  /** The ids of the server's processes, one for each connection. */
  sessions: () => Promise<number[]>
  /** Kills the server and all connections, like a crash. `restart` brings the server back on the same port. */
  kill: () => Promise<void>
  restart: () => Promise<void>
}

export interface OpenSshOptions {
  /**
   * More lines for sshd_config, such as `{ MaxSessions: '2' }`. They come first, and of two settings sshd uses the
   * first.
   */
  settings?: Record<string, string>
  /** For all commands that run over it. */
  environment?: Record<string, string>
  /** A command that starts the server, such as `['unshare', '--mount', '--']`. */
  launcher?: string[]
  signal?: AbortSignal | undefined
}

/** The path of sshd if this machine also has `ssh` and `ssh-keygen`; undefined otherwise. */
export async function findOpenSsh(): Promise<string | undefined> {
  if (process.platform === 'win32') return undefined
  const [sshd, ...others] = await Promise.all(['sshd', 'ssh', 'ssh-keygen'].map(findProgram))
  return others.every(Boolean) ? sshd : undefined
}

/**
 * Starts the server and waits until it listens. Disposing of it ends all its connections and removes its folder.
 *
 * @throws an Error if this machine has no server, or with the server's output if it does not start
 */
export async function startOpenSsh({
  settings = {},
  environment = {},
  launcher = [],
  signal,
}: OpenSshOptions = {}): Promise<OpenSsh> {
  const sshd = await findOpenSsh()
  if (sshd === undefined) throw new Error(`OpenSSH is not on this machine: ${installOpenSsh}`)
  await using stack = new AsyncDisposableStack()
  const { path: folder } = stack.use(await temporaryFolder())
  const isRoot = process.getuid?.() === 0
  if (isRoot) await mkdir('/run/sshd', { recursive: true, mode: 0o755 })

  const file = (name: string) => join(folder, name)
  const [hostKey, identityFile] = [file('host_key'), file('id_ed25519')]
  await Promise.all([hostKey, identityFile].map((path) => makeKey(path)))
  await writeFile(file('authorized_keys'), await readFile(`${identityFile}.pub`), { mode: 0o600 })
  await mkdir(file('home'), { mode: 0o700 })
  const variables = Object.entries({ HOME: file('home'), ...environment })
  const config = {
    ...settings,
    SetEnv: variables.map(([name, value]) => `"${name}=${value.replaceAll(/["\\]/g, '\\$&')}"`).join(' '),
    ListenAddress: '127.0.0.1',
    HostKey: hostKey,
    AuthorizedKeysFile: file('authorized_keys'),
    // sshd would refuse a key file below /tmp, where others may write. They cannot write to the folder itself.
    StrictModes: 'no',
    PubkeyAuthentication: 'yes',
    PasswordAuthentication: 'no',
    KbdInteractiveAuthentication: 'no',
    UsePAM: 'no',
    PermitRootLogin: 'prohibit-password',
    PermitUserRC: 'no',
    PidFile: 'none',
    UseDNS: 'no',
    PrintLastLog: 'no',
    PrintMotd: 'no',
    // Tests open many connections at once.
    MaxStartups: '100',
    Subsystem: 'sftp internal-sftp',
    LogLevel: 'ERROR',
  }
  const lines = Object.entries(config).map(([name, value]) => `${name} ${value}\n`)
  await writeFile(file('sshd_config'), lines.join(''))

  const start = (port: number): Promise<Child> => {
    const [command = sshd, ...args] = [...launcher, sshd, '-D', '-e', '-f', file('sshd_config'), '-p', String(port)]
    return startServer({ command, args, ready: async () => await listens(port), signal })
  }
  let { port, child } = await onFreePorts(async () => {
    const port = await freePort()
    return { port, child: await start(port) }
  })
  stack.defer(() => end())
  const sessions = async () => childrenOf(child.pid, await processes())
  async function end() {
    // The processes of connections are session leaders. They and their children would outlive the server.
    const all = await processes()
    const left = childrenOf(child.pid, all).flatMap((pid) => [pid, ...descendantsOf(pid, all)])
    await child.stop()
    for (const pid of left) kill(pid)
  }

  const user = userInfo().username
  const knownHostsFile = file('known_hosts')
  const [type, key] = (await readFile(`${hostKey}.pub`, 'utf8')).split(' ')
  // For every port, because tests put proxies in front of the server.
  await writeFile(knownHostsFile, `[127.0.0.1]:* ${type} ${key}\n`)
  const reached = { host: '127.0.0.1', port, user, identityFile, knownHostsFile }
  const done = stack.move()
  return {
    ...reached,
    folder,
    options: { ...reached, agent: false, configFile: false },
    sessions,
    async kill() {
      const pids = await sessions()
      await child.kill()
      for (const pid of pids) kill(pid)
    },
    async restart() {
      child = await onOldPort(() => start(port), { signal })
    },
    [Symbol.asyncDispose]: () => done.disposeAsync(),
  }
}

/**
 * A Host entry of an SSH configuration, for `ssh -F` and our own connections, without the user's own keys and agent.
 */
export function sshConfig(
  name: string,
  {
    host,
    port,
    user,
    identityFile,
    knownHostsFile,
  }: Pick<OpenSsh, 'host' | 'port' | 'user' | 'identityFile' | 'knownHostsFile'>,
  more: Record<string, string> = {},
): string {
  const settings = {
    HostName: host,
    Port: port,
    User: user,
    IdentityFile: `"${identityFile}"`,
    IdentitiesOnly: 'yes',
    IdentityAgent: 'none',
    UserKnownHostsFile: `"${knownHostsFile}"`,
    StrictHostKeyChecking: 'yes',
    ...more,
  }
  const lines = Object.entries(settings).map(([setting, value]) => `  ${setting} ${value}\n`)
  return `Host ${name}\n${lines.join('')}`
}

/** Makes a key pair, by default without a passphrase. */
export async function makeKey(path: string, { passphrase = '', type = 'ed25519' } = {}): Promise<void> {
  await execute('ssh-keygen', ['-q', '-t', type, '-N', passphrase, '-C', 'practice', '-f', path])
}

/** Whether an SSH server answers on this port. */
async function listens(port: number): Promise<boolean> {
  const socket = connect({ host: '127.0.0.1', port })
  try {
    // A busy server may close the connection without a word.
    for await (const words of socket) return String(words).startsWith('SSH-')
    return false
  } catch {
    return false
  } finally {
    socket.destroy()
  }
}

interface Process {
  pid: number
  parent: number
}

async function processes(): Promise<Process[]> {
  const { stdout } = await execute('ps', ['-A', '-o', 'pid=,ppid='])
  return stdout.split('\n').flatMap((line) => {
    const [pid, parent] = line.trim().split(/\s+/).map(Number)
    return pid && parent !== undefined ? [{ pid, parent }] : []
  })
}

const childrenOf = (parent: number, all: readonly Process[]) =>
  all.filter((each) => each.parent === parent).map(({ pid }) => pid)

const descendantsOf = (parent: number, all: readonly Process[]): number[] =>
  childrenOf(parent, all).flatMap((pid) => [pid, ...descendantsOf(pid, all)])

function kill(pid: number) {
  try {
    process.kill(pid, 'SIGKILL')
  } catch {
    // It has ended by itself in the meantime.
  }
}
