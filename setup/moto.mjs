/**
 * `npm run moto`: installs moto, which stands in for EC2, Elastic Beanstalk, IAM and SSM in chapter 5, into a Python
 * environment of its own below node_modules/.cache. If MOTO_PYTHON is set, that Python's moto is used and nothing is
 * installed.
 */
import { execFileSync } from 'node:child_process'
import { join } from 'node:path'
import { findCommand } from './redis.mjs'
import { fail, root, run, say } from './run.mjs'

const version = '5.2.5'
const environment = join(root, 'node_modules', '.cache', 'moto')
const isWindows = process.platform === 'win32'
const installed = isWindows ? join(environment, 'Scripts', 'python.exe') : join(environment, 'bin', 'python')

/** The installed version of moto, as `moto 5.2.5`; undefined if there is none. */
export function findMoto() {
  const python = process.env.MOTO_PYTHON || installed
  const script = "from importlib.metadata import version; print('moto', version('moto'))"
  try {
    return execFileSync(python, ['-c', script], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).trim()
  } catch {
    return undefined
  }
}

async function install() {
  const found = findMoto()
  if (found === `moto ${version}` || (found && process.env.MOTO_PYTHON)) {
    say(`${found} is installed`)
    return
  }
  if (process.env.MOTO_PYTHON) {
    fail(`MOTO_PYTHON: received "${process.env.MOTO_PYTHON}"; accepts a Python that has moto[server]`, 2)
  }
  const python = findCommand('python3', 'python')
  if (!python) fail('moto needs Python 3.10 or newer; install it with your package manager')
  say(`installing moto ${version} into ${environment}`)
  // Cleared: what is there may be half an installation.
  if ((await run(python, ['-m', 'venv', '--clear', environment])).code !== 0) {
    fail(
      'the Python environment could not be made, see above; on Debian and Ubuntu it needs `sudo apt-get install python3-venv`',
    )
  }
  const pip = [
    '-m',
    'pip',
    'install',
    '--quiet',
    '--disable-pip-version-check',
    '--no-input',
    '--retries',
    '10',
    `moto[server]==${version}`,
  ]
  if ((await run(installed, pip)).code !== 0)
    fail('moto could not be installed, see above; the same command tries again')
  say(`${findMoto()}`)
}

// test.mjs imports this file only to ask what is installed.
if (process.argv[1]?.endsWith('moto.mjs')) await install()
