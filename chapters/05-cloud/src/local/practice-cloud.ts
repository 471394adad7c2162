/**
 * The practice cloud: buckets and queues on this machine, so that every program of the chapter runs without an account.
 *
 * fauxqs answers like S3 and SQS. It runs in its own process, so that its work and its memory, which holds every
 * object, do not count as the example's.
 */
import { randomBytes } from 'node:crypto'
import { type Program, startProgram } from '@repo/common/process/child'
import type { Credentials, Place } from '../cloud/place.ts'

export interface PracticeCloud extends AsyncDisposable {
  place: Place
  /** The server's process, for sending signals. */
  server: Program<{ port: number }>
}

export interface PracticeOptions {
  /** Stops the server when aborted before it is ready. After that, an interrupted program must still clean up in it. */
  signal?: AbortSignal | undefined
}

/** Random credentials for one run of one of our servers. */
export function randomCredentials(): Credentials {
  return { accessKeyId: `PRACTICE${randomHex(12)}`, secretAccessKey: randomHex(40) }
}

const randomHex = (length: number) =>
  randomBytes(length / 2)
    .toString('hex')
    .toUpperCase()

/** Starts an empty one on a free port of the loopback interface. Disposing of it stops it and drops what is in it. */
export async function startPracticeCloud({ signal }: PracticeOptions = {}): Promise<PracticeCloud> {
  const credentials = randomCredentials()
  const server = await startProgram<{ port: number }>(new URL('./practice-cloud.program.ts', import.meta.url), {
    env: { PRACTICE_KEY_ID: credentials.accessKeyId, PRACTICE_SECRET: credentials.secretAccessKey },
    untilReady: signal,
  })
  const url = `http://127.0.0.1:${server.info.port}`
  return {
    place: { kind: 'practice', url, region: 'us-east-1', credentials },
    server,
    [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
  }
}
