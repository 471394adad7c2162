/** The programs that everybody has, to compare the connection against: ssh, scp, rsync and tar. */
import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { access, mkdir } from 'node:fs/promises'
import { promisify } from 'node:util'
import { type Child, startServer } from '@repo/common/process/child'
import pLimit from 'p-limit'
import type { Connection } from '../ssh/connection.ts'
import type { Reached } from './login-node.ts'

const execute = promisify(execFile)

/** A host for these programs. */
export interface To extends Pick<Reached, 'host' | 'configFile'> {
  signal?: AbortSignal | undefined
}

const configArgs = ({ configFile }: To) => (configFile === undefined ? [] : ['-F', configFile])

/** Says for each of the programs whether this machine has it. */
export async function findPrograms(): Promise<Record<'ssh' | 'scp' | 'rsync' | 'tar', boolean>> {
  const has = async (name: string, ...args: string[]) =>
    await execute(name, args).then(
      () => true,
      ({ code }) => code !== 'ENOENT',
    )
  const [ssh, scp, rsync, tar] = [has('ssh', '-V'), has('scp'), has('rsync', '--version'), has('tar', '--version')]
  return { ssh: await ssh, scp: await scp, rsync: await rsync, tar: await tar }
}

/** Starts ssh for each of `count` commands, `atOnce` of them at once. */
export async function ssh(
  to: To,
  count: number,
  { atOnce = 1, through = [] }: { atOnce?: number; through?: string[] } = {},
): Promise<void> {
  const limit = pLimit(atOnce)
  const run = () => execute('ssh', [...configArgs(to), ...through, to.host, 'true'], { signal: to.signal })
  await Promise.all(Array.from({ length: count }, () => limit(run)))
}

/**
 * ssh's own way to run many commands over one connection: one process holds the connection, others reach it by a
 * socket.
 */
export async function controlMaster(to: To, socket: string): Promise<Child & { through: string[] }> {
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

/** Copies a folder with scp, which requests one file after another. */
export async function scp(to: To, remote: string, local: string): Promise<void> {
  await execute('scp', [...configArgs(to), '-q', '-r', `${to.host}:${remote}`, local], { signal: to.signal })
}

/** Copies a folder with rsync, over a connection of its own. */
export async function rsync(to: To, remote: string, local: string): Promise<void> {
  const shell = ['ssh', ...configArgs(to)].join(' ')
  await execute('rsync', ['-a', '-e', shell, `${to.host}:${remote}/`, local], { signal: to.signal })
}

/** Copies a folder as one tar stream over our connection, without a request for each file. */
export async function tar(connection: Connection, remote: string, local: string, signal?: AbortSignal): Promise<void> {
  await mkdir(local, { recursive: true })
  await using sending = await connection.start(['tar', '-cf', '-', '-C', remote, '.'], { signal })
  const receiving = spawn('tar', ['-xf', '-', '-C', local], { stdio: ['pipe', 'ignore', 'ignore'] })
  // tar stops reading at the end of the archive, which need not be the end of the stream.
  receiving.stdin.on('error', () => {})
  sending.stdout.pipe(receiving.stdin)
  const ended = once(receiving, 'close').finally(() => sending.stdout.resume())
  const [[code], sent] = await Promise.all([ended, sending.exited])
  if (code !== 0 || sent.code !== 0) throw new Error(`tar ended with ${sent.code} there and ${code} here`)
}
