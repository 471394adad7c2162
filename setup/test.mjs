/** `npm test`: installs what is needed, then runs every package's tests and counts them. */
import { existsSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { install } from './install.mjs'
import { lookFor, needs } from './needs.mjs'
import { failedFiles, readReport, skippedByCause } from './reports.mjs'
import { root, run, say } from './run.mjs'

/** Where more files than these fail, it is not for want of a core. */
const mostTriedAgain = 10

const help = `npm test [-- options of "turbo run"]: installs what is needed and runs the tests of all packages

  npm test                               all; what has not changed since it passed comes from turbo's cache
  npm test -- --filter=03-parallel       one chapter's
  npm test -- --force                    all, without the cache
  LONG_TESTS=1 npm test                  also tests/**/*.long.test.ts, which take minutes; .ci/run runs them
`

/** Of what runs tests. */
const env = {
  // Thousands of processes load the same files.
  NODE_COMPILE_CACHE: join(root, 'node_modules', '.cache', 'compile'),
  TURBO_TELEMETRY_DISABLED: '1',
  TURBO_NO_UPDATE_NOTIFIER: '1',
  // turbo makes its tasks write colours wherever they go.
  ...(process.stdout.isTTY ? {} : { NO_COLOR: '1' }),
}

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
      // under way, those of the others have the cores.
      '--concurrency=3',
      ...options,
    ],
    { stdout: true, env: { ...env, REAL_SERVERS: await versions() } },
  )
  const summary = existsSync(runs) ? readdirSync(runs).find((file) => file.endsWith('.json')) : undefined
  // Without a summary, turbo ran nothing and has said why.
  if (summary === undefined) return code
  const { tasks } = JSON.parse(readFileSync(join(runs, summary), 'utf8'))
  const ran = tasks.filter(({ task, command }) => task === 'test' && command !== '<NONEXISTENT>')
  await tryAgain(node, ran)
  const failed = count(ran)
  const broken = tasks.filter(({ execution }) => (execution?.exitCode ?? 0) !== 0)
  const haveAllPassedLater = failed === 0 && broken.length > 0 && broken.every((task) => ran.includes(task))
  return haveAllPassedLater ? 0 : code
}

function reportOf({ directory }, folder = '') {
  return join(root, directory, 'reports', folder, 'tests.json')
}

/**
 * Runs the files that failed once more, one at a time and with nothing beside them: hundreds of faults are caused beside each
 * other on few cores. What passes only then is listed, with its message.
 */
async function tryAgain(node, ran) {
  const failed = ran
    .map((task) => ({ task, files: failedFiles(reportOf(task)) }))
    .filter(({ files }) => files.length > 0)
  if (failed.reduce((sum, { files }) => sum + files.length, 0) > mostTriedAgain) return
  const vitest = join(root, 'node_modules', 'vitest', 'vitest.mjs')
  for (const { task, files } of failed) {
    say(`${task.package}: what failed is tried again, with nothing beside it`)
    const cwd = join(root, task.directory)
    const options = ['--config', join(root, 'vitest.config.ts'), '--root', '.', '--maxWorkers=1']
    await run(node, [vitest, 'run', ...options, ...files], {
      cwd,
      stdout: true,
      env: { ...env, REPORTS: 'reports/again' },
    })
  }
}

/** Prints the counts and what is behind them, and returns how many tests failed. */
function count(ran) {
  const counts = ran.map((task) => ({
    name: task.package,
    ...readReport(reportOf(task), task.execution?.exitCode ?? 1, reportOf(task, 'again')),
  }))
  const lines = (state) => counts.flatMap((each) => each[state].map((test) => `  ${each.name}: ${test}`))
  const failed = lines('failed')
  const retried = lines('retried')
  const skipped = counts.reduce((sum, each) => sum + each.skipped.length, 0)
  const passed = counts.reduce((sum, each) => sum + each.passed, 0)
  const long = ran.reduce((sum, { directory }) => sum + longTests(join(root, directory, 'tests')), 0)
  const cached = ran.filter(({ cache }) => cache?.status === 'HIT')

  if (skipped > 0) say(['Skipped (npm run doctor says more):', ...skippedByCause(counts)].join('\n  '))
  if (retried.length > 0) say(['Passed only when they were tried again:', ...retried].join('\n'))
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
  process.stdout.write(`${passed} passed, ${failed.length} failed, ${skipped} skipped\n`)
  return failed.length
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

/** What the tests find here, with versions: part of the cache's key. */
async function versions() {
  const looked = await Promise.all(needs.map(lookFor))
  return needs.map(({ id }, at) => `${id} ${looked[at].found ?? 'missing'}`).join('\n')
}
