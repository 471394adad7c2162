/**
 * slurmrestd, Slurm's REST interface, twice, because one server cannot do both: one on a socket, for the user who has
 * started it and for whom the system vouches, and one on a port, for those who have a token that Slurm has signed.
 */
import { execFile } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { freePort } from '@repo/common/process/ports'
import { findProgram, type Restartable, restartable, type Start } from './server-programs.ts'

export interface Rest {
  /** Their addresses, in slurmrestd's own notation. */
  socket: string
  port: string
  /** The server on the socket. */
  local: Restartable
}

/** Whether this machine has slurmrestd, Slurm's plugin for tokens, and curl, by which slurmrestd is asked. */
export async function findRest(): Promise<boolean> {
  const plugin = promisify(execFile)('sh', ['-c', 'ls /usr/lib/*/slurm*/auth_jwt.so']).catch(() => undefined)
  const found = await Promise.all([...['slurmrestd', 'curl'].map(findProgram), plugin])
  return found.every(Boolean)
}

/** Makes a key with which Slurm signs tokens, and returns the lines of slurm.conf and slurmdbd.conf about it. */
export async function tokenSettings(folder: string): Promise<string[]> {
  const key = join(folder, 'jwt_hs256.key')
  await writeFile(key, randomBytes(32), { mode: 0o600 })
  return ['AuthAltTypes=auth/jwt', `AuthAltParameters=jwt_key=${key}`]
}

interface RestOptions {
  /** The cluster's folder. */
  folder: string
  /** Whether Slurm has accounting, which it then also answers for. */
  accounting: boolean
  start: Start
  /** Takes each server, to end it with the cluster. */
  own: <Server extends AsyncDisposable>(server: Server) => Server
}

/** Starts both. @throws an Error with the output of a server that does not start */
export async function startRest({ folder, accounting, start, own }: RestOptions): Promise<Rest> {
  const [path, port] = [join(folder, 'rest.socket'), await freePort()]
  // It refuses to run as the user to whom Slurm belongs, and here that is the current user.
  const security = { SLURMRESTD_SECURITY: 'disable_user_check' }
  const serve = (address: string, kind: 'local' | 'jwt', env: NodeJS.ProcessEnv, curl: string[]) => {
    const plugins = ['openapi/v0.0.38', ...(accounting ? ['openapi/dbv0.0.38'] : [])]
    const args = ['-a', `rest_auth/${kind}`, '-s', plugins.join(), address]
    const answers = () =>
      promisify(execFile)('curl', ['-s', '-o', '/dev/null', '--max-time', '5', ...curl]).then(
        () => true,
        () => false,
      )
    return start('slurmrestd', args, answers, { env: { ...security, ...env } })
  }
  const [socket, ofTokens] = [`unix:${path}`, `127.0.0.1:${port}`]
  const local = await restartable(async () => {
    await rm(path, { force: true })
    return await serve(socket, 'local', { SLURM_JWT: undefined }, ['--unix-socket', path, 'http://localhost/'])
  })
  own(local)
  own(await serve(ofTokens, 'jwt', { SLURM_JWT: 'daemon' }, [`http://${ofTokens}/`]))
  return { socket, port: ofTokens, local }
}
