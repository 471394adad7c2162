/**
 * Finds a Python that has Celery, RQ or Pyro, which this chapter's programs talk to and are compared with, or Paramiko, which
 * the bench compares.
 */
import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'

export type PythonModule = 'celery' | 'rq' | 'Pyro4' | 'Pyro5' | 'paramiko'

export interface Python {
  /** The interpreter's command or path. */
  command: string
  /** The module's version, such as `5.7.0`. */
  version: string
  /** Whether it is the one of `npm run peers`, with the versions of today. */
  ofToday: boolean
}

/** The command that installs those of today, for messages. */
export const installPeers = 'npm run peers'

/** How to install each module, for messages. */
export const installPython: Record<PythonModule, string> = {
  celery: `${installPeers}, or an older one with sudo apt-get install python3-celery python3-redis (Debian, Ubuntu)`,
  rq: `${installPeers}, or an older one with sudo apt-get install python3-rq (Debian, Ubuntu)`,
  Pyro4: 'sudo apt-get install python3-pyro4 (Debian, Ubuntu), or in a Python environment pip install Pyro4',
  Pyro5: installPeers,
  paramiko: `${installPeers}, or an older one with sudo apt-get install python3-paramiko (Debian, Ubuntu)`,
}

const environment = fileURLToPath(new URL('../../../../node_modules/.cache/peers', import.meta.url))
const ofToday = process.platform === 'win32' ? `${environment}\\Scripts\\python.exe` : `${environment}/bin/python`

/** The system's packages need the system's Python, wherever it is on PATH; an active environment's comes before it. */
const interpreters = [ofToday, 'python3', '/usr/bin/python3', 'python']

/**
 * Returns the Pythons on this machine that have the module, one for each version: the one of `npm run peers` first. If
 * PEERS_PYTHON is set, only that one is asked.
 */
export async function findPythons(module: PythonModule, signal?: AbortSignal): Promise<Python[]> {
  const { PEERS_PYTHON } = process.env
  // Celery imports its Redis transport only when it connects.
  const packages = module === 'celery' ? ['celery', 'redis'] : [module]
  const script = `from importlib.metadata import version; print([version(name) for name in ${JSON.stringify(packages)}][0])`
  const found = await Promise.all(
    (PEERS_PYTHON ? [PEERS_PYTHON] : interpreters).map(async (command) => {
      try {
        const { stdout } = await promisify(execFile)(command, ['-c', script], { signal })
        return [{ command, version: stdout.trim(), ofToday: command === ofToday }]
      } catch {
        return []
      }
    }),
  )
  signal?.throwIfAborted()
  const pythons = found.flat()
  return pythons.filter(({ version }, at) => pythons.findIndex((each) => each.version === version) === at)
}

/** Returns the first of them; undefined if there is none. */
export async function findPython(module: PythonModule, signal?: AbortSignal): Promise<Python | undefined> {
  const [first] = await findPythons(module, signal)
  return first
}
