/** `npm test`: installs what is needed, then runs every package's tests and counts them. */
import { execFileSync, spawnSync } from 'node:child_process'
import { existsSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { install } from './install.mjs'
import { findMoto } from './moto.mjs'
import { peersPython } from './peers.mjs'
import { findRedis } from './redis.mjs'
import { readReport } from './reports.mjs'
import { root, run, say } from './run.mjs'

const help = `npm test [-- options of "turbo run"]: installs what is needed and runs the tests of all packages

  npm test                               all; what has not changed since it passed comes from turbo's cache
  npm test -- --filter=03-parallel       one chapter's
  npm test -- --force                    all, without the cache
  LONG_TESTS=1 npm test                  also tests/**/*.long.test.ts, which take minutes; .ci/run runs them
`

if (process.argv.includes('--help') || process.argv.includes('-h')) {
  process.stdout.write(help)
} else {
  const node = await install()
  process.exitCode = await test(node, process.argv.slice(2))
}

async function test(node, options) {
  const runs = join(root, '.turbo', 'runs')
  rmSync(runs, { recursive: true, force: true })
  for (const folder of packages()) rmSync(join(folder, 'reports'), { recursive: true, force: true })

  const turbo = join(root, 'node_modules', 'turbo', 'bin', 'turbo')
  const { code } = await run(
    node,
    [
      turbo,
      'run',
      'test',
      '--continue',
      '--summarize',
      '--ui=stream',
      '--output-logs=new-only',
      // Vitest runs a process per core. While one package's files wait for what they have started, or its last file is
      // under way, the other package's have the cores.
      '--concurrency=2',
      ...options,
    ],
    {
      stdout: true,
      env: {
        // Thousands of processes load the same files.
        NODE_COMPILE_CACHE: join(root, 'node_modules', '.cache', 'compile'),
        REAL_SERVERS: versions(),
        TURBO_TELEMETRY_DISABLED: '1',
        TURBO_NO_UPDATE_NOTIFIER: '1',
        // turbo makes its tasks write colours wherever they go.
        ...(process.stdout.isTTY ? {} : { NO_COLOR: '1' }),
      },
    },
  )
  const summary = existsSync(runs) ? readdirSync(runs).find((file) => file.endsWith('.json')) : undefined
  // Without a summary, turbo ran nothing and has said why.
  if (summary === undefined) return code
  count(JSON.parse(readFileSync(join(runs, summary), 'utf8')).tasks)
  return code
}

function count(tasks) {
  const ran = tasks.filter(({ task, command }) => task === 'test' && command !== '<NONEXISTENT>')
  const counts = ran.map(({ package: name, directory, execution }) => ({
    name,
    ...readReport(join(root, directory, 'reports', 'tests.json'), execution?.exitCode ?? 1),
  }))
  const lines = (state) => counts.flatMap((each) => each[state].map((test) => `  ${each.name}: ${test}`))
  const failed = lines('failed')
  const skipped = lines('skipped')
  const passed = counts.reduce((sum, each) => sum + each.passed, 0)
  const long = ran.reduce((sum, { directory }) => sum + longTests(join(root, directory, 'tests')), 0)
  const cached = ran.filter(({ cache }) => cache?.status === 'HIT')

  if (skipped.length > 0) say(['Skipped:', ...skipped].join('\n'))
  if (failed.length > 0) say(['Failed:', ...failed].join('\n'))
  if (cached.length > 0) {
    say(
      `${cached.length} of ${ran.length} packages have not changed since they passed: their results come from turbo's cache` +
        ' (all again: npm test -- --force)',
    )
  }
  if (long > 0 && !process.env.LONG_TESTS) {
    say(`${long} files of long tests are left out, which .ci/run runs (with them: LONG_TESTS=1 npm test)`)
  }
  if (!process.env.CI) {
    const name = (failed[0] ?? '').trim().split(':', 1)[0]
    say(
      name
        ? `What to try next: npm test -- --filter=${name}`
        : 'What to try next: npm start, or one chapter: npm test -- --filter=03-parallel',
    )
  }
  process.stdout.write(`${passed} passed, ${failed.length} failed, ${skipped.length} skipped\n`)
}

function longTests(folder) {
  return readdirSync(folder, { recursive: true }).filter((file) => String(file).endsWith('.long.test.ts')).length
}

function packages() {
  const below = ['chapters', 'packages'].flatMap((group) =>
    readdirSync(join(root, group)).map((name) => join(root, group, name)),
  )
  return [...below, join(root, 'bench')]
}

/** The real servers that the tests find here, with their versions: part of the cache's key. */
function versions() {
  const redis = findRedis()
  const redisVersion =
    redis && redis !== 'REDIS_URL' ? execFileSync(redis, ['--version'], { encoding: 'utf8' }).trim() : undefined
  const programs = [sees('slurmd', '-V'), sees('mpirun', '--version'), sees('ssh', '-V')]
  return [
    redisVersion,
    ...['python3', '/usr/bin/python3', peersPython].map(pythonPeers),
    findMoto(),
    ...programs,
    sshd(),
  ]
    .filter(Boolean)
    .join('\n')
}

/** The first line of what a program prints about its version; undefined if there is no such program. */
function sees(program, option) {
  // Servers are not on everybody's PATH. Some programs print their version on standard error.
  const env = { ...process.env, PATH: `${process.env.PATH}${delimiter}/usr/sbin` }
  const { error, stdout, stderr } = spawnSync(program, [option], { encoding: 'utf8', env })
  return error ? undefined : `${stdout}${stderr}`.split('\n', 1)[0]
}

/** Whether there is an SSH server; its version is that of ssh. */
function sshd() {
  return existsSync('/usr/sbin/sshd') ? 'sshd' : undefined
}

/**
 * The versions of Celery, RQ, Pyro, Swift and mpi4py that an interpreter has; undefined without such an interpreter.
 */
function pythonPeers(interpreter) {
  const script = `from importlib import metadata
for name in ('celery', 'rq', 'Pyro4', 'swift', 'mpi4py'):
    print(name, *(found.version for found in metadata.distributions(name=name)))`
  try {
    return execFileSync(interpreter, ['-c', script], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).trim()
  } catch {
    return undefined
  }
}
