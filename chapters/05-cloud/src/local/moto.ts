/**
 * moto, the stand-in for the parts of Amazon Web Services that the practice cloud lacks: EC2, Elastic Beanstalk, IAM, SSM.
 * It checks requests and keeps account of what they create, and nothing else: its instances are entries in a list.
 *
 * It is the one that MOTO_PYTHON's Python has, or the one that `npm run moto` has installed below node_modules/.cache.
 */
import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { type Child, startServer } from '@repo/common/process/child'
import type { Credentials, Place } from '../cloud/cloud.ts'
import { randomCredentials } from './practice-cloud.ts'

/** How to get moto, for messages. */
export const installMoto = 'npm run moto'

const environment = fileURLToPath(new URL('../../../../node_modules/.cache/moto', import.meta.url))
const installed =
  process.platform === 'win32' ? join(environment, 'Scripts', 'python.exe') : join(environment, 'bin', 'python')

export interface Moto extends AsyncDisposable {
  place: Place
  server: Child
}

export interface MotoOptions {
  /** Stops the server when aborted before it is ready. */
  signal?: AbortSignal | undefined
  /** Keys of an account that is let in beside ours: somebody else's. */
  neighbour?: Credentials
}

/** The Python that runs moto; undefined where there is none. */
export async function findMoto(): Promise<string | undefined> {
  const python = process.env.MOTO_PYTHON || installed
  // There may be a Python into which moto could not be installed.
  const script = "from importlib.metadata import version; version('moto')"
  return await promisify(execFile)(python, ['-c', script]).then(
    () => python,
    () => undefined,
  )
}

/**
 * Starts moto, empty, on a free port of the loopback interface; disposing of it ends it with all that it remembers.
 *
 * @throws an Error of one line that says how to install it where it is missing
 */
export async function startMoto({ signal, neighbour }: MotoOptions = {}): Promise<Moto> {
  const python = await findMoto()
  if (!python) {
    const where = process.env.MOTO_PYTHON
      ? `MOTO_PYTHON names "${process.env.MOTO_PYTHON}", which is no Python with moto`
      : 'there is no moto'
    throw new Error(`${where}: install it with \`${installMoto}\``)
  }
  const credentials = randomCredentials()
  let port: string | undefined
  const server = await startServer({
    command: python,
    args: [fileURLToPath(new URL('./moto_server.py', import.meta.url))],
    env: {
      MOTO_KEY_ID: credentials.accessKeyId,
      MOTO_SECRET: credentials.secretAccessKey,
      MOTO_NEIGHBOUR_KEY_ID: neighbour?.accessKeyId,
      MOTO_NEIGHBOUR_SECRET: neighbour?.secretAccessKey,
      PYTHONUNBUFFERED: '1',
    },
    ready: /^listening on port \d+$/,
    onLine: (line) => {
      port ??= /^listening on port (\d+)$/.exec(line)?.[1]
    },
    signal,
    // Python compiles what it loads for the first time, which takes a while.
  })
  return {
    place: { kind: 'moto', url: `http://127.0.0.1:${port}`, region: 'us-east-1', credentials },
    server,
    [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
  }
}
