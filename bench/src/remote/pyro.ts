/** The same object on Pyro 4 in Python, to compare with. */
import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { startServer } from '@repo/common/process/child'
import { type Rate, ratesFolder } from '@repo/common/workloads/rates'
import { findPython } from '04-celery/celery/python'

export interface PyroMeasurement {
  /** What every call returned. */
  rate: Rate
  /** One client, waiting for each call. */
  sequentialPerSecond: number
  /** The same client, a thousand calls in a batch. */
  batchPerSecond: number
}

export interface Pyro extends AsyncDisposable {
  version: string
  /** Starts a client that asks for a rate `count` times in each way, and times that without its own start. */
  measure: (count: number) => Promise<PyroMeasurement>
}

/** Starts a Pyro daemon on a free loopback port; undefined where no Python has Pyro 4. */
export async function startPyro(signal?: AbortSignal): Promise<Pyro | undefined> {
  const python = await findPython('Pyro4', signal)
  if (!python) return undefined
  const script = fileURLToPath(new URL('./pyro.py', import.meta.url))
  let uri = ''
  const server = await startServer({
    command: python.command,
    args: [script, 'serve', ratesFolder()],
    ready: /^PYRO:/,
    signal,
    onLine: (line) => {
      if (line.startsWith('PYRO:')) uri = line
    },
  })
  return {
    version: python.version,
    async measure(count) {
      const { stdout } = await promisify(execFile)(python.command, [script, 'call', uri, String(count)], { signal })
      return JSON.parse(stdout) as PyroMeasurement
    },
    [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
  }
}
