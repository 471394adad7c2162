/** What `npm test` makes of the runs of all packages: in a repository of one package, with a turbo and a vitest that are played. */
import { cp, mkdir, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, it } from 'vitest'
import { type TemporaryFolder, temporaryFolder } from '../../src/process/temporary.ts'
import { runProgram } from '../../src/testing/testing.ts'

const setup = fileURLToPath(new URL('../../../../setup/', import.meta.url))

type Status = 'passed' | 'failed' | 'skipped'

/** The report of a run with one test in each file. */
const report = (statuses: readonly Status[]) =>
  JSON.stringify({
    testResults: statuses.map((status, at) => ({
      name: `/tests/${at}.test.ts`,
      status: status === 'failed' ? 'failed' : 'passed',
      message: '',
      assertionResults: [{ fullName: `test ${at}`, status, failureMessages: status === 'failed' ? ['late'] : [] }],
    })),
  })

/** What the played programs leave behind; `built` is the exit code of a task that is no test. */
interface Runs {
  first?: readonly Status[]
  later?: readonly Status[]
  built?: number
  isCached?: boolean
}

async function repository({ first, later = [], built = 0, isCached = false }: Runs): Promise<TemporaryFolder> {
  const folder = await temporaryFolder()
  const exitCode = first?.includes('failed') ? 1 : 0
  const task = { package: '01-one', directory: 'chapters/01-one' }
  const tasks = [
    { ...task, task: 'build', command: 'build', execution: { exitCode: built } },
    { ...task, task: 'test', command: 'vitest', execution: { exitCode }, cache: { status: isCached ? 'HIT' : 'MISS' } },
    { ...task, task: 'test', command: '<NONEXISTENT>' },
  ]
  const files = {
    'setup/install.mjs': 'export const install = async () => process.execPath',
    'setup/needs.mjs': `export const needs = [{ id: 'tea' }], lookFor = async () => ({}), causeOf = () => ({ cause: 'tea' })`,
    'node_modules/turbo/bin/turbo': `
      require('node:fs').cpSync('planned', '.', { recursive: true })
      process.exit(Number(process.env.TURBO_CODE))`,
    'node_modules/vitest/vitest.mjs': `
      import { cpSync } from 'node:fs'
      cpSync('later.json', process.env.REPORTS + '/tests.json')
      console.log('again', ...process.argv.filter((word) => word.endsWith('.test.ts')))`,
    // Of an earlier run.
    '.turbo/runs/0.json': JSON.stringify({ tasks: [] }),
    'chapters/01-one/reports/again/tests.json': report(['passed', 'passed']),
    'chapters/01-one/tests/one.long.test.ts': '',
    'chapters/01-one/later.json': report(later),
    'bench/package.json': '{}',
    'packages/two/package.json': '{}',
    'planned/README.md': '',
    ...(first && {
      'planned/.turbo/runs/1.json': JSON.stringify({ tasks }),
      'planned/chapters/01-one/reports/tests.json': report(first),
    }),
  }
  for (const name of ['test', 'reports', 'run'])
    await cp(join(setup, `${name}.mjs`), join(folder.path, 'setup', `${name}.mjs`))
  for (const [path, text] of Object.entries(files)) {
    await mkdir(dirname(join(folder.path, path)), { recursive: true })
    await writeFile(join(folder.path, path), text)
  }
  return folder
}

/** Runs it in such a repository; turbo's exit code is that of its tasks. */
async function tested(runs: Runs, turboCode: number) {
  await using folder = await repository(runs)
  const env = { TURBO_CODE: String(turboCode), CI: '', LONG_TESTS: '' }
  const { code, stdout, stderr } = await runProgram(join(folder.path, 'setup', 'test.mjs'), [], { env })
  return { code, lines: stdout.split('\n').slice(0, -1), said: stderr }
}

it('counts what has passed, and says what was skipped and left out', async () => {
  const { code, lines, said } = await tested({ first: ['passed', 'skipped', 'passed'], isCached: true }, 0)
  expect({ code, lines }).toEqual({ code: 0, lines: ['2 passed, 0 failed, 1 skipped'] })
  expect(said.split('\n')).toEqual([
    'Skipped (npm run doctor says more):',
    '  1 in 01-one: tea',
    expect.stringMatching(/^1 of 1 packages have not changed since they passed: /),
    expect.stringMatching(/^1 files of long tests are left out, /),
    expect.stringMatching(/^What to try next: npm start, /),
    '',
  ])
})

it.each([
  ['passes when what failed passes later', { later: ['passed'] }, 0, '2 passed, 0 failed', 'Passed only when'],
  ['fails when it fails again', { later: ['failed'] }, 1, '1 passed, 1 failed', '--filter=01-one'],
  ['fails when something else has failed as well', { later: ['passed'], built: 1 }, 1, '2 passed, 0 failed', 'again'],
] as const)('%s', async (_, runs, exitCode, counts, says) => {
  const { code, lines, said } = await tested({ first: ['failed', 'passed'], ...runs }, 1)
  expect({ code, lines }).toEqual({ code: exitCode, lines: ['again /tests/0.test.ts', `${counts}, 0 skipped`] })
  expect(said).toContain(says)
})

it('tries at most ten files again', async () => {
  const files = (length: number, status: Status) => Array.from({ length }, () => status)
  const ten = await tested({ first: files(10, 'failed'), later: files(10, 'passed') }, 1)
  expect([ten.code, ten.lines.at(-1)]).toEqual([0, '10 passed, 0 failed, 0 skipped'])
  const eleven = await tested({ first: files(11, 'failed'), later: files(11, 'passed') }, 1)
  expect(eleven).toMatchObject({ code: 1, lines: ['0 passed, 11 failed, 0 skipped'] })
})

it('ends as turbo does where turbo ran nothing', async () => {
  expect(await tested({}, 3)).toEqual({ code: 3, lines: [], said: '' })
})
