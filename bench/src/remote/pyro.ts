/** The exchange of chapter 4's remote objects on Pyro, in Python: version 4, and 5 of today. */
import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { startServer } from '@repo/common/process/child'
import { type Rate, ratesFolder } from '@repo/common/workloads/rates'
import { findPython } from '04-celery/celery/python'

export interface PyroRates {
  /** What every call returned. */
  rate: Rate
  /** Calls of a client that waits for each. */
  sequentialPerSecond: number
  /** Calls of the same client in batches of a thousand. */
  batchPerSecond: number
}

export interface Pyro extends AsyncDisposable {
  version: string
  /** Starts a client that asks for a rate `count` times in each way. Its own start does not count. */
  measure: (count: number) => Promise<PyroRates>
}

/** Starts a daemon of one version on a free loopback port; undefined if no Python has that version. */
export async function startPyro(generation: 'Pyro4' | 'Pyro5', signal?: AbortSignal): Promise<Pyro | undefined> {
  const python = await findPython(generation, signal)
  if (!python) return undefined
  const script = fileURLToPath(new URL('./pyro.py', import.meta.url))
  let uri = ''
  const server = await startServer({
    command: python.command,
    args: [script, generation, 'serve', ratesFolder()],
    ready: /^PYRO:/,
    signal,
    onLine: (line) => {
      if (line.startsWith('PYRO:')) uri = line
    },
  })
  return {
    version: python.version,
    async measure(count) {
      const { stdout } = await promisify(execFile)(python.command, [script, generation, 'call', uri, String(count)], {
        signal,
      })
      return JSON.parse(stdout) as PyroRates
    },
    [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
  }
}
