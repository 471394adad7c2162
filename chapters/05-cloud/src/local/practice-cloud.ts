/**
 * The practice cloud: buckets and queues on this machine, so that every program of the chapter runs without an account.
 *
 * fauxqs answers as S3 and SQS do. It runs in a process of its own: its work and its memory, which holds every object,
 * would otherwise be measured as the example's.
 */
import { randomBytes } from 'node:crypto'
import { type Program, startProgram } from '@repo/common/process/child'
import type { Credentials, Place } from '../cloud/cloud.ts'

export interface PracticeCloud extends AsyncDisposable {
  place: Place
  /** The server's process, to send it signals. */
  server: Program<{ port: number }>
}

export interface PracticeOptions {
  /** Stops the server when aborted before it is ready: what an interrupted program made in it is still to be removed. */
  signal?: AbortSignal | undefined
  /** The one pair that is let in; random when not given. */
  credentials?: Credentials
}

/** Credentials that are good for one run of a server of ours. */
export function randomCredentials(): Credentials {
  return { accessKeyId: `PRACTICE${randomHex(12)}`, secretAccessKey: randomHex(40) }
}

const randomHex = (length: number) =>
  randomBytes(length / 2)
    .toString('hex')
    .toUpperCase()

/** Starts it, empty, on a free port of the loopback interface; disposing of it ends it with all that is in it. */
export async function startPracticeCloud({
  signal,
  credentials = randomCredentials(),
}: PracticeOptions = {}): Promise<PracticeCloud> {
  const server = await startProgram<{ port: number }>(new URL('./practice-cloud.program.ts', import.meta.url), {
    env: { PRACTICE_KEY_ID: credentials.accessKeyId, PRACTICE_SECRET: credentials.secretAccessKey },
    untilReady: signal,
    readyTimeoutMs: 30_000,
  })
  const url = `http://127.0.0.1:${server.info.port}`
  return {
    place: { kind: 'practice', url, region: 'us-east-1', credentials },
    server,
    [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
  }
}
