/** Name servers and workers in processes of their own, for examples, comparisons and tests. */
import { randomBytes } from 'node:crypto'
import { setTimeout as delay } from 'node:timers/promises'
import { UsageError } from '@repo/common/example/usage'
import { type Program, startProgram } from '@repo/common/process/child'
import { freePort } from '@repo/common/process/ports'
import { shortestSecret } from './remote.ts'
import type { WorkerArguments } from './worker.program.ts'

/** How long a name server waits for its port. */
const takenMs = 30_000

export type RemoteProgram = Program<{ address: string }>

export interface RemoteProgramOptions {
  secret: string
  signal?: AbortSignal | undefined
}

/** @param port that of one that was there before; a free one when not given */
export async function startNameServer({ secret, signal }: RemoteProgramOptions, port?: number): Promise<RemoteProgram> {
  const deadline = performance.now() + takenMs
  for (;;) {
    try {
      return await start('./names.program.ts', String(port ?? (await freePort())), secret, signal)
    } catch (error) {
      // While there was no name server, another program may have been given its port.
      if (!String(error).includes('EADDRINUSE') || performance.now() > deadline) throw error
      await delay(100, undefined, { signal })
    }
  }
}

/** Starts a worker that serves an `Exchange` (remote-rates.ts), and returns when it is registered. */
export function startWorker({ secret, signal }: RemoteProgramOptions, worker: WorkerArguments): Promise<RemoteProgram> {
  return start('./worker.program.ts', JSON.stringify(worker), secret, signal)
}

function start(file: string, argument: string, secret: string, signal?: AbortSignal): Promise<RemoteProgram> {
  // In the environment, which only this user may read: everybody may read a command line.
  const env = { REMOTE_SECRET: secret }
  return startProgram(new URL(file, import.meta.url), { args: [argument], env, signal })
}

/** A new secret, for servers and clients of one run. */
export function newSecret(): string {
  return randomBytes(24).toString('base64url')
}

/**
 * The secret that the reader's own processes share, from REMOTE_SECRET.
 *
 * @throws UsageError when there is none, or it is too short
 */
export function sharedSecret(): string {
  const { REMOTE_SECRET } = process.env
  if (REMOTE_SECRET !== undefined && REMOTE_SECRET.length >= shortestSecret) return REMOTE_SECRET
  // Its length only: it may be a real one cut short.
  const received = REMOTE_SECRET === undefined ? undefined : `${REMOTE_SECRET.length} characters`
  throw new UsageError(
    'REMOTE_SECRET',
    received,
    `a secret of at least ${shortestSecret} characters, the same everywhere`,
  )
}
