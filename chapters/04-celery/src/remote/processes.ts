/** Name servers and workers in processes of their own, their secret, and the options by which examples find them. */
import { randomBytes } from 'node:crypto'
import { accepting } from '@repo/common/example/options'
import { UsageError } from '@repo/common/example/usage'
import { type Program, startProgram } from '@repo/common/process/child'
import { freePort, onFreePorts, onOldPort } from '@repo/common/process/ports'
import { shortestSecret } from './remote.ts'
import type { WorkerArguments } from './worker.program.ts'

export type RemoteProgram = Program<{ address: string }>

export interface RemoteProgramOptions {
  secret: string
  signal?: AbortSignal | undefined
}

/** @param port of a name server that was there before; a free one by default */
export async function startNameServer({ secret, signal }: RemoteProgramOptions, port?: number): Promise<RemoteProgram> {
  const startOn = (port: number) => start('./names.program.ts', String(port), secret, signal)
  if (port !== undefined) return await onOldPort(() => startOn(port), { signal })
  return await onFreePorts(async () => await startOn(await freePort()))
}

/** Starts a worker that serves an `Exchange`, and returns when it is registered. */
export function startWorker({ secret, signal }: RemoteProgramOptions, worker: WorkerArguments): Promise<RemoteProgram> {
  return start('./worker.program.ts', JSON.stringify(worker), secret, signal)
}

function start(file: string, argument: string, secret: string, signal?: AbortSignal): Promise<RemoteProgram> {
  // Only this user may read its environment; any user may read its command line.
  const env = { REMOTE_SECRET: secret }
  return startProgram(new URL(file, import.meta.url), { args: [argument], env, signal })
}

/** Makes a new secret for the servers and clients of one run. */
export function newSecret(): string {
  return randomBytes(24).toString('base64url')
}

/**
 * Reads the secret that the reader's own processes share from REMOTE_SECRET.
 *
 * @throws UsageError if it is not set or too short
 */
export function sharedSecret(): string {
  const { REMOTE_SECRET } = process.env
  if (REMOTE_SECRET !== undefined && REMOTE_SECRET.length >= shortestSecret) return REMOTE_SECRET
  // Only its length, because it may be a real secret cut short.
  const received = REMOTE_SECRET === undefined ? undefined : `${REMOTE_SECRET.length} characters`
  throw new UsageError(
    'REMOTE_SECRET',
    received,
    `a secret of at least ${shortestSecret} characters, the same everywhere`,
  )
}

const matching = (accepts: string, form: RegExp) => accepting(accepts, (text) => (form.test(text) ? text : undefined))

/** Schemas of options. */
export const nameServerAddress = () => matching('ws://host:port', /^ws:\/\/[^\s/?#]+\/?$/)
export const objectName = () => matching('a name such as exchange.demo', /^[a-z][\w.-]{0,99}$/i)
export const listenAddress = () => matching('an address or a name of this machine', /^[\w.:-]+$/)
