/** The same work by the programs that everybody has: ssh, scp, rsync and tar, to compare the connection with. */
import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { access, mkdir } from 'node:fs/promises'
import { promisify } from 'node:util'
import { type Child, startServer } from '@repo/common/process/child'
import pLimit from 'p-limit'
import type { Connection } from '../ssh/connection.ts'
import type { Reached } from './login-node.ts'

const execute = promisify(execFile)

/** A host as these programs reach it. */
export interface To extends Reached {
  signal?: AbortSignal | undefined
}

const configArgs = ({ configFile }: To) => (configFile === undefined ? [] : ['-F', configFile])

/** Which of the programs are on this machine. */
export async function findPrograms<Name extends string>(...names: Name[]): Promise<Set<Name>> {
  const asked: Record<string, string> = { ssh: '-V', scp: '', rsync: '--version', tar: '--version' }
  const found = names.map(async (name) => {
    const error = await execute(name, [asked[name] ?? ''].filter(Boolean)).then(
      () => undefined,
      (error: NodeJS.ErrnoException) => error,
    )
    return error?.code === 'ENOENT' ? [] : [name]
  })
  return new Set((await Promise.all(found)).flat())
}

/** Starts the ssh program for each of so many commands, some of them at once. */
export async function runBySsh(
  to: To,
  count: number,
  { atOnce = 1, through = [] }: { atOnce?: number; through?: string[] } = {},
): Promise<void> {
  const limit = pLimit(atOnce)
  const run = () => execute('ssh', [...configArgs(to), ...through, to.host, 'true'], { signal: to.signal })
  await Promise.all(Array.from({ length: count }, () => limit(run)))
}

/** ssh's own way to many commands over one connection: a process that holds it, and a socket to reach that by. */
export async function startControlMaster(to: To, socket: string): Promise<Child & { through: string[] }> {
  const child = await startServer({
    command: 'ssh',
    args: [...configArgs(to), '-N', '-M', '-S', socket, to.host],
    ready: () =>
      access(socket).then(
        () => true,
        () => false,
      ),
    signal: to.signal,
  })
  return Object.assign(child, { through: ['-S', socket] })
}

/** Copies a folder by scp, which asks for one file after the other. */
export async function copyByScp(to: To, remote: string, local: string): Promise<void> {
  await execute('scp', [...configArgs(to), '-q', '-r', `${to.host}:${remote}`, local], { signal: to.signal })
}

/** Copies a folder by rsync, over a connection of its own. */
export async function copyByRsync(to: To, remote: string, local: string): Promise<void> {
  const shell = ['ssh', ...configArgs(to)].join(' ')
  await execute('rsync', ['-a', '-e', shell, `${to.host}:${remote}/`, local], { signal: to.signal })
}

/** Copies a folder as one stream over our connection, without a question to the other end for each file. */
export async function copyByTar(
  connection: Connection,
  remote: string,
  local: string,
  signal?: AbortSignal,
): Promise<void> {
  await mkdir(local, { recursive: true })
  await using sending = await connection.start(['tar', '-cf', '-', '-C', remote, '.'], { signal })
  const receiving = spawn('tar', ['-xf', '-', '-C', local], { stdio: ['pipe', 'ignore', 'ignore'] })
  // It stops reading at the archive's end, which is not always that of the stream.
  receiving.stdin.on('error', () => {})
  sending.stdout.pipe(receiving.stdin)
  const ended = once(receiving, 'close').finally(() => sending.stdout.resume())
  const [[code], sent] = await Promise.all([ended, sending.exited])
  if (code !== 0 || sent.code !== 0) throw new Error(`tar ended with ${sent.code} there and ${code} here`)
}
