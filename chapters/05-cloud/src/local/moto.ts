/**
 * moto stands in for the parts of Amazon Web Services that the practice cloud lacks: EC2, Elastic Beanstalk, IAM, SSM.
 * It checks requests and keeps records of what they create. That is all: its instances are entries in a list.
 *
 * We use the moto that belongs to the Python in MOTO_PYTHON, or the one that `npm run moto` has installed below
 * node_modules/.cache.
 */
import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { type Child, startServer } from '@repo/common/process/child'
import type { Credentials, Place } from '../cloud/place.ts'
import { randomCredentials } from './practice-cloud.ts'

/** The command that installs moto, for messages. */
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
  /** Keys of a second account, which belongs to somebody else. */
  neighbour?: Credentials
}

/** The Python that runs moto; undefined when moto is missing. */
export async function findMoto(): Promise<string | undefined> {
  const python = process.env.MOTO_PYTHON || installed
  // The Python may exist without moto, when installing moto has failed.
  const script = "from importlib.metadata import version; version('moto')"
  return await promisify(execFile)(python, ['-c', script]).then(
    () => python,
    () => undefined,
  )
}

/**
 * Starts an empty moto on a free port of the loopback interface. Disposing of it stops the server, which forgets
 * everything.
 *
 * @throws an Error of one line that says how to install moto when it is missing
 */
export async function startMoto({ signal, neighbour }: MotoOptions = {}): Promise<Moto> {
  const python = await findMoto()
  if (!python) {
    const where = process.env.MOTO_PYTHON
      ? `MOTO_PYTHON names "${process.env.MOTO_PYTHON}", which is not a Python with moto`
      : 'moto is missing'
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
  })
  return {
    place: { kind: 'moto', url: `http://127.0.0.1:${port}`, region: 'us-east-1', credentials },
    server,
    [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
  }
}
