/** Finds a Redis server for the chapters that need one, and installs one if there is none. */
import { accessSync, constants, mkdirSync } from 'node:fs'
import { createRequire } from 'node:module'
import { delimiter, join } from 'node:path'
import { root, run, say } from './run.mjs'

/** redis-memory-server builds in the folder that its variable names, or in this one; the chapters look there too. */
const builds = process.env.REDISMS_DOWNLOAD_DIR || join(root, 'node_modules', '.cache', 'redis-binaries')
const built = join(builds, 'stable', 'redis-server')

/** The path of the first of these commands that is on PATH; undefined if none of them is. */
export function findCommand(...names) {
  const folders = (process.env.PATH ?? '').split(delimiter).filter(Boolean)
  const endings = process.platform === 'win32' ? ['.exe', '.cmd'] : ['']
  for (const name of names)
    for (const folder of folders)
      for (const ending of endings) if (isExecutable(join(folder, name + ending))) return join(folder, name + ending)
  return undefined
}

function isExecutable(file) {
  try {
    accessSync(file, constants.X_OK)
    return true
  } catch {
    return false
  }
}

/** Where Redis comes from: `REDIS_URL` if that is set, otherwise a server's path; undefined if there is none. */
export function findRedis() {
  if (process.env.REDIS_URL) return 'REDIS_URL'
  const given = process.env.REDIS_SERVER
  if (given) return isExecutable(given) ? given : findCommand(given)
  return findCommand('redis-server', 'valkey-server') ?? (isExecutable(built) ? built : undefined)
}

const sudo = process.getuid?.() === 0 ? [] : ['sudo', '-n']

/** How each package manager installs without asking; systems that no longer have `redis` have `valkey`. */
const managers = [
  {
    command: 'apt-get',
    byHand: 'sudo apt-get install redis-server',
    before: ['apt-get', 'update', '-qq'],
    install: ['apt-get', 'install', '-y', '-qq', '--no-install-recommends', '-o', 'DPkg::Lock::Timeout=60'],
    packages: ['redis-server', 'valkey-server'],
    // Debian's package starts a server on the standard port, now and after every boot: the programs here start their
    // own.
    after: (name) => [
      ['service', name, 'stop'],
      ['update-rc.d', name, 'disable'],
    ],
  },
  {
    command: 'dnf',
    byHand: 'sudo dnf install valkey',
    install: ['dnf', 'install', '-y', '-q'],
    packages: ['redis', 'valkey'],
  },
  {
    command: 'pacman',
    byHand: 'sudo pacman -S valkey',
    install: ['pacman', '-S', '--noconfirm', '--needed'],
    packages: ['valkey', 'redis'],
  },
  {
    command: 'apk',
    byHand: 'sudo apk add redis',
    install: ['apk', 'add', '--no-cache'],
    packages: ['redis', 'valkey'],
  },
  {
    command: 'zypper',
    byHand: 'sudo zypper install redis',
    install: ['zypper', '--non-interactive', 'install'],
    packages: ['redis', 'valkey'],
  },
  { command: 'brew', byHand: 'brew install redis', install: ['brew', 'install'], packages: ['redis'] },
]

/** Makes sure that Redis is there, or says in one line what the reader can do. */
export async function provideRedis() {
  if (findRedis()) return
  if (process.env.REDIS_SERVER) {
    say(`Redis: REDIS_SERVER names "${process.env.REDIS_SERVER}", which is not a program here; accepts a server's path`)
    return
  }
  const manager = process.platform === 'win32' ? undefined : managers.find(({ command }) => findCommand(command))
  const found = (manager && (await installPackage(manager))) || (await build())
  if (found) {
    say(`Redis: ${findRedis()}`)
    return
  }
  const advice = manager
    ? `install it with \`${manager.byHand}\``
    : 'install redis-server or valkey-server, or set REDIS_URL'
  say(`Redis: not found; ${advice} and run this again. Everything that needs no Redis goes on.`)
}

async function installPackage({ command, before, install, packages, after }) {
  const prefix = command === 'brew' ? [] : sudo
  if (prefix.length > 0 && (await runWords([...prefix, 'true'], { capture: true })).code !== 0) return false
  say(`Redis: not found; installing it with ${command}`)
  const env = ['env', 'DEBIAN_FRONTEND=noninteractive', 'NEEDRESTART_SUSPEND=1', 'HOMEBREW_NO_AUTO_UPDATE=1']
  if (before) await runWords([...prefix, ...env, ...before])
  for (const name of packages) {
    if ((await runWords([...prefix, ...env, ...install, name])).code !== 0) continue
    for (const words of after?.(name) ?? []) await runWords([...prefix, ...words], { capture: true })
    break
  }
  return findRedis() !== undefined
}

/** Has redis-memory-server compile Redis, below node_modules. */
async function build() {
  if (process.platform === 'win32' || !findCommand('make') || !findCommand('cc', 'gcc', 'clang')) return false
  say('Redis: not found; downloading and compiling it, which takes a few minutes')
  mkdirSync(builds, { recursive: true })
  const script = createRequire(import.meta.url).resolve('redis-memory-server/scripts/postinstall.js')
  await run(process.execPath, [script], {
    env: {
      REDISMS_DOWNLOAD_DIR: builds,
      REDISMS_VERSION: 'stable',
      REDISMS_DISABLE_POSTINSTALL: '',
      // It checks the download's certificate only when npm's own setting is spelled out.
      npm_config_strict_ssl: 'true',
    },
  })
  return isExecutable(built)
}

const runWords = ([command, ...args], options) => run(command, args, options)
