/** What `npm start` and `npm test` need before they run; on a machine that has it all this takes a few milliseconds. */
import { createHash } from 'node:crypto'
import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { provideRedis } from './redis.mjs'
import { fail, root, run, say } from './run.mjs'

const bin = join(root, 'node_modules', '.bin')
const pinnedNode = join(bin, 'node')
const isPinnedHere = process.platform === 'linux' && ['x64', 'arm64'].includes(process.arch)

const [major = 0, minor = 0] = process.versions.node.split('.').map(Number)
const serves = major > 22 || (major === 22 && minor >= 18)

/** The oldest Node that `npm start` accepts on this system, and whether this one is not older. */
export const oldestNode = isPinnedHere ? '18' : '22.18'
export const isNewEnough = serves || (isPinnedHere && major >= 18)

/** Installs what is missing and returns the Node to run the programs with. */
export async function install() {
  if (!isNewEnough) fail(`Node ${process.versions.node} is too old: this needs Node ${oldestNode} or newer`)
  // First of all, so that the searches below, and every program started later, find the workspace's commands first.
  process.env.PATH = [bin, process.env.PATH].join(delimiter)
  await installPackages()

  // For trying another Node: the scripts of all packages run on the one that they find first.
  if (process.env.OWN_NODE === '1') rmSync(pinnedNode, { force: true })
  const isPinned = isPinnedHere && existsSync(pinnedNode)
  if (!isPinned && !serves) {
    fail(`the pinned Node does not run here and Node ${process.versions.node} is older than 22.18`)
  }
  await provideRedis()
  return isPinned ? pinnedNode : process.execPath
}

const stamp = join(root, 'node_modules', '.installed')

/** Whether the packages are those that the package.json files and the lock file name. */
export function arePackagesInstalled(wanted = fingerprint()) {
  return existsSync(stamp) && readFileSync(stamp, 'utf8') === wanted
}

async function installPackages() {
  const wanted = fingerprint()
  if (arePackagesInstalled(wanted)) return

  const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')).devEngines.packageManager
  const pnpm = [
    '--yes',
    '--loglevel=error',
    '--fetch-retry-mintimeout=1000',
    '--fetch-retry-maxtimeout=5000',
    `pnpm@${version}`,
  ]
  say(`installing the packages with pnpm ${version}`)
  // By itself first: when the registry cannot be reached, npm's report is long, and the reason is one line of it.
  const fetched = await run('npx', [...pnpm, '--version'], { capture: true })
  if (fetched.code !== 0) fail(`pnpm ${version} could not be fetched: ${reason(fetched.output)}`)
  const installed = await run('npx', [...pnpm, 'install', '--frozen-lockfile', '--config.confirm-modules-purge=false'])
  if (installed.code !== 0) fail('the packages could not be installed, see above; the same command tries again')

  // Alpine has a different C library: there the reader's own Node has to do.
  if (isPinnedHere && (await run(pinnedNode, ['--version'], { capture: true })).code !== 0) rmSync(pinnedNode)
  writeFileSync(stamp, wanted)
}

/** The line of npm's report that says why, without the registry's address. */
function reason(output) {
  const lines = output.split('\n').map((line) => line.replace(/^npm (error|ERR!) ?/, '').trim())
  const why =
    lines.find((line) => /reason: |^[45]\d\d |not found/i.test(line)) ??
    lines.find((line) => /^[a-z]+ E[A-Z]+/.test(line))
  return (why ?? lines.find(Boolean) ?? 'npx failed').replace(/https?:\/\/\S*/g, 'the registry')
}

/** A hash of everything that determines what is installed. */
function fingerprint() {
  const hash = createHash('sha256').update(`${process.platform} ${process.arch}\n`)
  const folders = (folder) =>
    readdirSync(join(root, folder), { withFileTypes: true })
      .filter((entry) => entry.isDirectory() && !entry.name.startsWith('.') && entry.name !== 'node_modules')
      .map((entry) => join(folder, entry.name))
      .sort()
  const packages = folders('').flatMap((folder) => [folder, ...folders(folder)])
  for (const file of [
    'pnpm-lock.yaml',
    'pnpm-workspace.yaml',
    ...['', ...packages].map((folder) => join(folder, 'package.json')),
  ]) {
    const path = join(root, file)
    if (existsSync(path)) hash.update(`${file}\n`).update(readFileSync(path))
  }
  return hash.digest('hex')
}
