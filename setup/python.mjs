/** Python environments of the project's own, below node_modules/.cache: pip never touches the system's packages. */
import { execFileSync } from 'node:child_process'
import { join } from 'node:path'
import { findCommand } from './redis.mjs'
import { fail, root, run, say } from './run.mjs'

const isWindows = process.platform === 'win32'

/** The folder of an environment and its interpreter, whether it exists or not. */
export function environment(name) {
  const folder = join(root, 'node_modules', '.cache', name)
  return { folder, python: isWindows ? join(folder, 'Scripts', 'python.exe') : join(folder, 'bin', 'python') }
}

/** The versions that an interpreter has of some packages, as `celery 5.7.0`, one on each line; undefined without one. */
export function versionsIn(python, packages) {
  const script = `from importlib.metadata import version
for name in ${JSON.stringify(packages)}: print(name, version(name))`
  try {
    return execFileSync(python, ['-c', script], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).trim()
  } catch {
    return undefined
  }
}

/**
 * Makes an environment that has exactly these versions, unless it has them already. Ends with a line for the reader
 * where that fails.
 *
 * @param requirements as pip takes them, such as `celery[redis]==5.7.0`
 */
export async function installInto(name, requirements) {
  const { folder, python } = environment(name)
  const wanted = requirements.map((each) => each.replace(/\[.*\]/, '').replace('==', ' '))
  const packages = wanted.map((each) => each.split(' ')[0])
  const what = wanted.join(', ')
  if (versionsIn(python, packages) === wanted.join('\n')) return say(`${what}: installed`)
  const command = findCommand('python3', 'python')
  if (!command) fail(`${what}: Python 3.10 or newer is missing; install it with your package manager`)
  say(`installing ${what} into ${folder}`)
  // Cleared: what is there may be half an installation.
  if ((await run(command, ['-m', 'venv', '--clear', folder])).code !== 0) {
    fail(
      'the Python environment could not be made, see above; on Debian and Ubuntu it needs `sudo apt-get install python3-venv`',
    )
  }
  // Python compiles what it loads, and that is a small part.
  const options = ['--quiet', '--disable-pip-version-check', '--no-input', '--no-compile', '--retries', '10']
  if ((await run(python, ['-m', 'pip', 'install', ...options, ...requirements])).code !== 0)
    fail(`${what}: not installed, see above; the same command tries again`)
}
