/** Name servers and workers in processes of their own, for examples, comparisons and tests. */
import { randomBytes } from 'node:crypto'
import { UsageError } from '@repo/common/example'
import { type Program, startProgram } from '@repo/common/process'
import { shortestSecret } from './remote.ts'
import type { WorkerArguments } from './remote-worker.program.ts'

export type RemoteProgram = Program<{ address: string }>

export interface RemoteProgramOptions {
  secret: string
  signal?: AbortSignal | undefined
}

/** @param port 0 is a free one */
export function startNameServer({ secret, signal }: RemoteProgramOptions, port = 0): Promise<RemoteProgram> {
  return start('./remote-names.program.ts', String(port), secret, signal)
}

/** Starts a worker that serves an `Exchange` (remote-rates.ts), and returns when it is registered. */
export function startWorker({ secret, signal }: RemoteProgramOptions, worker: WorkerArguments): Promise<RemoteProgram> {
  return start('./remote-worker.program.ts', JSON.stringify(worker), secret, signal)
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
