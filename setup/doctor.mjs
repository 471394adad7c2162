/**
 * `npm run doctor`: what this machine has, which examples and tests need what is missing, and what installs it. It works
 * before anything is installed and without a network, and changes nothing.
 */
// Early releases of Node 18 lack some of their functions.
import * as fs from 'node:fs'
import * as os from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { arePackagesInstalled, isNewEnough, oldestNode } from './install.mjs'
import { installAll, installing, lookFor, needs, output, users } from './needs.mjs'
import { findCommand } from './redis.mjs'
import { fail, root } from './run.mjs'

const help = `npm run doctor [-- --json]: what this machine has, and which examples and tests need what is missing

  npm run doctor                      a table, with the command that installs what is missing
  npm run --silent doctor -- --json   the same as one JSON document, with the names of all examples and tests

Exit code 0: all that npm start needs is here; 1: something is missing.
`

const options = process.argv.slice(2)
const unknown = options.find((option) => !['--json', '--help', '-h'].includes(option))
if (unknown !== undefined) fail(`option: received "${unknown.slice(0, 80)}"; accepts --json, --help`, 2)

async function examine(json) {
  const print = (line) => void (json || process.stdout.write(`${line}\n`))
  print(dim(line(' ', 'what', 'its version; or what fails without it → how to install it')))
  // All looked for at once; printed in order, each as soon as it is known.
  const basics = [node(), packages(), git()]
  const looked = needs.map(lookFor)
  const facts = machine()
  const used = users()
  const toured = tourExamples()

  const parts = []
  const small = []
  for (const looking of basics) {
    const part = { ...(await looking), examples: [], optional: [], tests: [] }
    parts.push(part)
    print(row(part))
  }
  for (const [at, { id, name, ...need }] of needs.entries()) {
    const uses = used.get(id)
    const isRequired = uses.examples.some((example) => toured.has(example))
    const part = { id, name, isRequired, ...(await looked[at]), install: installing(need).say, ...uses }
    parts.push(part)
    if (need.isSmall) small.push(part)
    else print(row(part))
  }
  const [here, away] = [small.filter(({ found }) => found), small.filter(({ found }) => !found)]
  if (here.length > 0) print(row({ name: 'other tools', found: names(here) }))
  if (away.length > 0) {
    const lost = (kind) => [...new Set(away.flatMap((part) => part[kind]))]
    const install = installAll(needs.filter(({ id }) => away.some((part) => part.id === id)))
    const [optional, tests] = [lost('optional'), lost('tests')]
    print(row({ name: 'other tools', why: `missing ${names(away)}`, install, optional, tests }))
  }
  const { cores, memory, freeMemory, openFiles, freeDisk, namespaces } = await facts
  const sizes = [
    `${cores} ${cores === 1 ? 'core' : 'cores'}`,
    `${gigabytes(memory)} of memory, ${gigabytes(freeMemory)} free`,
    `${openFiles ?? 'any number of'} open files`,
    `${gigabytes(freeDisk)} of disk free`,
    `user namespaces: ${namespaces ?? 'unknown'}`,
  ]
  print(line(' ', 'machine', sizes.join('; ')))

  const missing = parts.filter(({ found }) => !found)
  const required = missing.filter(({ isRequired }) => isRequired)
  const rest = needs.filter((need) => installing(need).command && missing.some(({ id }) => id === need.id))
  print(
    required.length === 0
      ? `${green('npm start')} has all that it needs.`
      : `${red('npm start')} needs ${required.map(({ name, install }) => `${name}: ${install}`).join('; ')}`,
  )
  if (rest.length > 1) print(`All servers and programs at once: ${installAll(rest)}`)
  if (json) process.stdout.write(`${JSON.stringify({ ready: required.length === 0, parts, machine: await facts })}\n`)
  return required.length > 0 ? 1 : 0
}

/** The Node that runs this; the programs run on the project's own, where there is one. */
async function node() {
  const version = process.versions.node
  const basic = { id: 'node', name: 'Node', isRequired: true, install: 'install Node 24 from nodejs.org' }
  if (!isNewEnough) return { ...basic, why: `${version} is older than ${oldestNode}` }
  const own = await output(join(root, 'node_modules', '.bin', 'node'), '--version')
  return { ...basic, found: own ? `${version}; the programs run on ${own}` : version }
}

async function packages() {
  const { version } = JSON.parse(fs.readFileSync(join(root, 'package.json'), 'utf8')).devEngines.packageManager
  const basic = { id: 'packages', name: 'pnpm, packages', isRequired: true }
  if (arePackagesInstalled()) return { ...basic, found: `${version}, installed` }
  const why = fs.existsSync(join(root, 'node_modules')) ? 'not those of package.json' : 'not installed yet'
  if (findCommand('npx')) return { ...basic, why, install: 'npm start' }
  return { ...basic, why: `${why}, and no npx`, install: 'install Node with npm from nodejs.org' }
}

async function git() {
  const install = installing({ apt: 'git', brew: 'git', otherwise: 'install git' }).say
  const found = await output(findCommand('git'), '--version')
  return { id: 'git', name: 'git', isRequired: false, ...(found ? { found } : { why: 'missing' }), install }
}

/** The examples that `npm start` runs, such as `04-celery/mergesort`. */
function tourExamples() {
  const chapters = fs
    .readdirSync(join(root, 'chapters'))
    .filter((name) => fs.existsSync(join(root, 'chapters', name, 'package.json')))
  return new Set(
    chapters.flatMap((name) => {
      const { tour = [] } = JSON.parse(fs.readFileSync(join(root, 'chapters', name, 'package.json'), 'utf8'))
      return tour.map((example) => `${name}/${example}`)
    }),
  )
}

/** Sizes are in bytes. */
async function machine() {
  // Node has raised its own limit as far as the system allows; the programs inherit it.
  const openFiles = process.platform === 'win32' ? undefined : await output('/bin/sh', '-c', 'ulimit -n')
  const unshare = findCommand('unshare')
  const namespaces = unshare && ((await output(unshare, '--user', '--map-root-user', 'echo', 'yes')) ?? 'no')
  const disk = fs.statfs && (await promisify(fs.statfs)(root))
  const limit = process.constrainedMemory?.() || Number.POSITIVE_INFINITY
  return {
    cores: os.availableParallelism?.() ?? os.cpus().length,
    memory: Math.min(os.totalmem(), limit),
    freeMemory: os.freemem(),
    openFiles: openFiles && Number(openFiles),
    freeDisk: disk && disk.bavail * disk.bsize,
    namespaces,
  }
}

function row({ name, found, why, isRequired, install, examples = [], optional = [], tests = [] }) {
  if (found) return line(green('✓'), name, found)
  const uses = [
    examples.length > 0 && listed(examples, 'fail'),
    optional.length > 0 && listed(optional, 'do less'),
    tests.length > 0 && `${tests.length} test ${tests.length === 1 ? 'file skips' : 'files skip'}`,
  ].filter(Boolean)
  const lost = uses.length > 0 ? `: ${uses.join(', ')}` : ''
  return line(isRequired ? red('✗') : yellow('–'), name, `${why}${lost} → ${install}`)
}

/** Up to two examples by name, more as a number with their chapters. */
function listed(examples, verb) {
  if (examples.length <= 2) return `${examples.join(' and ')} ${examples.length === 1 ? singular[verb] : verb}`
  const chapters = [...new Set(examples.map((example) => example.split(/[-/]/, 1)[0]))]
  return `${examples.length} examples (${chapters.join(', ')}) ${verb}`
}

const names = (parts) => parts.map(({ name }) => name).join(', ')
const singular = { fail: 'fails', 'do less': 'does less' }

const line = (sign, name, text) => `${sign} ${name.padEnd(17)} ${text}`
const gigabytes = (bytes) => (bytes === undefined ? 'unknown' : `${(bytes / 1e9).toFixed(1)} GB`)

const hasColours = process.stdout.isTTY && !process.env.NO_COLOR
const colour = (code) => (text) => (hasColours ? `\u001b[${code}m${text}\u001b[0m` : text)
const [dim, green, yellow, red] = [2, 32, 33, 31].map((code) => colour(code))

if (options.includes('--help') || options.includes('-h')) process.stdout.write(help)
else process.exitCode = await examine(options.includes('--json'))
