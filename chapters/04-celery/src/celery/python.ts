/** Finds a Python that has Celery, RQ or Pyro: this chapter's programs talk to them and are compared with them. */
import { execFile } from 'node:child_process'
import { promisify } from 'node:util'

export type PythonModule = 'celery' | 'rq' | 'Pyro4'

export interface Python {
  /** The interpreter's command or path. */
  command: string
  /** The module's version, such as `5.2.6`. */
  version: string
}

/** How to install each module, for messages. */
export const installPython: Record<PythonModule, string> = {
  celery:
    "sudo apt-get install python3-celery python3-redis (Debian, Ubuntu), or in a Python environment pip install 'celery[redis]'",
  rq: 'sudo apt-get install python3-rq (Debian, Ubuntu), or in a Python environment pip install rq',
  Pyro4: 'sudo apt-get install python3-pyro4 (Debian, Ubuntu), or in a Python environment pip install Pyro4',
}

/**
 * An active environment's Python comes first. The system's packages need the system's Python, wherever it is on PATH.
 */
const interpreters = ['python3', '/usr/bin/python3', 'python']

/** Returns the first Python on this machine that can import the module; undefined if none can. */
export async function findPython(module: PythonModule, signal?: AbortSignal): Promise<Python | undefined> {
  // Celery imports its Redis transport only when it connects.
  const imports = module === 'celery' ? 'celery, redis' : module
  for (const command of interpreters) {
    try {
      const script = `import ${imports}; print(${module}.__version__)`
      const { stdout } = await promisify(execFile)(command, ['-c', script], { signal })
      return { command, version: stdout.trim() }
    } catch {
      signal?.throwIfAborted()
    }
  }
  return undefined
}
