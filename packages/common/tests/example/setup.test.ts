/** What `npm start` and `npm test` do before any package is installed; in plain JavaScript, without types. */
import { execFile } from 'node:child_process'
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { describe, expect, it } from 'vitest'
import { temporaryFolder } from '../../src/process/temporary.ts'
import { runProgram } from '../../src/testing/testing.ts'

interface Count {
  passed: number
  failed: string[]
  retried: string[]
  skipped: string[]
}
const setup = new URL('../../../../setup/', import.meta.url)
const { failedFiles, readReport, skippedByCause } = (await import(new URL('reports.mjs', setup).href)) as {
  failedFiles: (file: string) => string[]
  readReport: (file: string, exitCode: number, again?: string) => Count
  skippedByCause: (counts: { name: string; skipped: string[] }[]) => string[]
}
const { picturesToReplace } = (await import(new URL('pictures.mjs', setup).href)) as {
  picturesToReplace: (output: string, text: string) => [drawn: string, shown: string][]
}
/** Written by vitest, without what is not read. */
const recorded = fileURLToPath(new URL('../fixtures/report.json', import.meta.url))

describe('the count of a run', () => {
  it('has what passed, failed and was skipped, and files whose tests could not be collected', () => {
    expect(readReport(recorded, 1)).toEqual({
      passed: 2,
      failed: [
        'sums are wrong',
        "b.test.ts: Cannot find module './not-there.ts' imported from /home/reader/chapters/01-intro/tests/b.test.ts",
        'c.test.ts: no server',
      ],
      retried: [],
      skipped: ['sums need a server', 'sums are to come', 'works'],
    })
  })

  it.each([
    [0, []],
    [1, ['the run ended with exit code 1']],
    [139, ['the run ended with exit code 139']],
  ])('of passed tests only fails when the run ended with %i and not with 0', async (exitCode, failed) => {
    await using folder = await temporaryFolder()
    const file = join(folder.path, 'tests.json')
    const works = { assertionResults: [{ fullName: 'works', status: 'passed' }], status: 'passed', message: '' }
    await writeFile(file, JSON.stringify({ testResults: [works] }))
    expect(readReport(file, exitCode)).toEqual({ passed: 1, failed, retried: [], skipped: [] })
  })

  it('names what passed only when it was tried again, and says why it had failed', async () => {
    await using folder = await temporaryFolder()
    const [first, again] = [join(folder.path, 'tests.json'), join(folder.path, 'again', 'tests.json')]
    const why = (message: string) => ({ failureMessages: [`AssertionError: ${message}\n    at a.test.ts:4:40`] })
    const passed = (fullName: string) => ({ fullName, status: 'passed', failureMessages: [] })
    const failed = (fullName: string, message: string) => ({ fullName, status: 'failed', ...why(message) })
    const reportOf = (files: Record<string, [status: string, tests: object[], message?: string]>) => ({
      testResults: Object.entries(files).map(([name, [status, assertionResults, message = '']]) => ({
        name: `/home/reader/tests/${name}`,
        status,
        assertionResults,
        message,
      })),
    })
    const files = reportOf({
      'a.test.ts': ['failed', [passed('works'), failed('works late', '1 is 2'), failed('is wrong', '2 is 3')]],
      'b.test.ts': ['failed', [], 'no server'],
      'c.test.ts': ['failed', [], 'no port'],
      'd.test.ts': ['passed', [passed('is well')]],
    })
    const later = reportOf({
      // What passed at first has passed.
      'a.test.ts': ['failed', [failed('works', '0 is 1'), passed('works late'), failed('is wrong', '3 is 4')]],
      'b.test.ts': ['passed', [passed('serves'), passed('serves twice')]],
      'c.test.ts': ['failed', [], 'no port'],
    })
    await writeFile(first, JSON.stringify(files))
    await mkdir(dirname(again))
    await writeFile(again, JSON.stringify(later))
    expect(failedFiles(first)).toEqual(['a', 'b', 'c'].map((name) => `/home/reader/tests/${name}.test.ts`))
    const stillFailed = 'is wrong\n      AssertionError: 2 is 3'
    expect(readReport(first, 1, again)).toEqual({
      passed: 5,
      failed: [`${stillFailed}\n      AssertionError: 3 is 4`, 'c.test.ts: no port'],
      retried: ['works late\n      AssertionError: 1 is 2', 'b.test.ts: no server'],
      skipped: [],
    })
    const notAgain = { passed: 2, retried: [], skipped: [] }
    const lateToo = 'works late\n      AssertionError: 1 is 2'
    expect(readReport(first, 1, join(folder.path, 'none.json'))).toEqual({
      ...notAgain,
      failed: [lateToo, stillFailed, 'b.test.ts: no server', 'c.test.ts: no port'],
    })
  })

  it('is no failure when all that failed has passed later, whatever the run ended with', async () => {
    await using folder = await temporaryFolder()
    const [first, again] = [join(folder.path, 'tests.json'), join(folder.path, 'again', 'tests.json')]
    const report = (status: string) => {
      const assertionResults = [{ fullName: 'works', status, failureMessages: status === 'failed' ? ['late'] : [] }]
      return JSON.stringify({ testResults: [{ name: '/a.test.ts', status, message: '', assertionResults }] })
    }
    await writeFile(first, report('failed'))
    await mkdir(dirname(again))
    await writeFile(again, report('passed'))
    expect(readReport(first, 1, again)).toEqual({ passed: 1, failed: [], retried: ['works\n      late'], skipped: [] })
    // Nobody knows whether that would happen again.
    await writeFile(join(folder.path, 'uncaught.json'), JSON.stringify(['Error: nobody waits']))
    expect(readReport(first, 1, again).failed).toEqual(['outside of the tests: Error: nobody waits'])
  })

  it.each(['skipped', 'pending', 'todo', 'disabled'])(
    'names a test that is %s as one that did not run',
    async (status) => {
      await using folder = await temporaryFolder()
      const file = join(folder.path, 'tests.json')
      const assertionResults = [{ fullName: 'works', status }]
      await writeFile(
        file,
        JSON.stringify({ testResults: [{ name: '/a.test.ts', status: 'passed', assertionResults }] }),
      )
      expect(readReport(file, 0)).toEqual({ passed: 0, failed: [], retried: [], skipped: ['works'] })
    },
  )

  it('is a failure when of two tests of one name only one has passed later', async () => {
    await using folder = await temporaryFolder()
    const [first, again] = [join(folder.path, 'tests.json'), join(folder.path, 'again.json')]
    const report = (...statuses: string[]) => {
      const assertionResults = statuses.map((status) => ({ fullName: 'works', status }))
      return JSON.stringify({ testResults: [{ name: '/a.test.ts', status: 'failed', message: '', assertionResults }] })
    }
    await writeFile(first, report('failed', 'passed'))
    await writeFile(again, report('failed', 'passed'))
    expect(readReport(first, 1, again)).toEqual({ passed: 1, failed: ['works'], retried: [], skipped: [] })
  })

  it('names the errors that no test caught', async () => {
    await using folder = await temporaryFolder()
    const file = join(folder.path, 'tests.json')
    await writeFile(file, JSON.stringify({ testResults: [] }))
    await writeFile(join(folder.path, 'uncaught.json'), JSON.stringify(['Error: nobody waits']))
    const failed = ['outside of the tests: Error: nobody waits']
    expect(readReport(file, 1)).toEqual({ passed: 0, failed, retried: [], skipped: [] })
  })

  it.each([undefined, '', '{"testResults":[{"assert'])('is a failure when the report is %j', async (content) => {
    await using folder = await temporaryFolder()
    const file = join(folder.path, 'tests.json')
    if (content !== undefined) await writeFile(file, content)
    for (const exitCode of [0, 1]) {
      expect(readReport(file, exitCode)).toEqual({
        passed: 0,
        failed: ['the run left no report'],
        retried: [],
        skipped: [],
      })
    }
  })
})

describe('the table of skipped tests', () => {
  const slurm = 'a cluster (needs Slurm and OpenSSH: sudo apt-get install slurm-wlm (Debian, Ubuntu)) runs jobs (all)'
  const unknown = 'x (needs a quantum computer: sudo make one (or two)) works'

  it('has a line for each cause with the packages and what installs it, the largest first', () => {
    const lines = skippedByCause([
      { name: '05-cloud', skipped: [unknown, 'on Windows only'] },
      { name: '06-hpc', skipped: [slurm, slurm, unknown, slurm, slurm] },
    ])
    expect(lines).toEqual([
      expect.stringMatching(/^4 in 06-hpc: OpenSSH and Slurm: \S/),
      '1 in 05-cloud, 1 in 06-hpc: a quantum computer: sudo make one (or two)',
      '1 in 05-cloud: not for this system',
    ])
  })

  it('is empty when nothing was skipped', () => expect(skippedByCause([{ name: 'a', skipped: [] }])).toEqual([]))
})

it.each([
  ['the one that was drawn', ['out/a.svg'], ['a.svg'], ['out/a.svg']],
  ['its namesake, wherever it stands', ['out/growth.svg', 'out/a.svg'], ['growth.svg'], ['out/growth.svg']],
  ['each its own', ['out/b.svg', 'out/more-a.svg', 'out/a.svg'], ['a.svg', 'b.svg'], ['out/a.svg', 'out/b.svg']],
  [
    'one whose name begins with a date',
    ['results/2026-a.svg', 'results/2026-b.svg'],
    ['a.svg'],
    ['results/2026-a.svg'],
  ],
  ['the last one, if it has another name', ['out/a.png', 'out/b.png'], ['failures.png'], ['out/b.png']],
  ['none, if the last one has its place', ['out/a.svg'], ['a.svg', 'by-hand.svg'], ['out/a.svg', undefined]],
  ['none, if none was drawn', [], ['a.svg'], [undefined]],
])('a recorded picture is replaced by %s', (_, drawn, shown, from) => {
  const pairs = shown.flatMap((name, at) => (from[at] ? [[from[at], `pictures/${name}`]] : []))
  const text = shown.map((name) => `It shows:\n\n![What it shows](pictures/${name})\n`).join('\n')
  expect(picturesToReplace(drawn.map((path) => `Picture: ${path}`).join('\n'), text)).toEqual(pairs)
  expect(picturesToReplace(`Done.\nPictures: ${drawn.join(', ')}`, text)).toEqual(pairs)
})

describe.each(['start.mjs', 'record.mjs'])('%s', (program) => {
  it.each(['nonsense', '3x', '99'])('refuses the chapter %s in one line with exit code 2', async (chapter) => {
    const { code, stdout, stderr } = await runProgram(fileURLToPath(new URL(program, setup)), [chapter])
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' })
    expect(stderr).toMatch(new RegExp(`^error: chapter: received "${chapter}"; accepts 01-intro, [^\\n]*\\n$`))
  })
})

it.each(['start.mjs', 'test.mjs', 'doctor.mjs'])(
  '%s explains itself and installs nothing with --help',
  async (program) => {
    const { code, stdout, stderr } = await runProgram(fileURLToPath(new URL(program, setup)), ['--help'])
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
    expect(stdout).toMatch(/^npm (start|test|run doctor) /)
  },
)

describe("turbo's tasks", () => {
  const root = fileURLToPath(new URL('..', setup))
  /** Runs a task with a cache of its own, so that nothing of the reader's cache decides. */
  const turbo = (cacheFolder: string, ...args: string[]) =>
    promisify(execFile)(
      process.execPath,
      [join(root, 'node_modules/turbo/bin/turbo'), 'run', `--cache-dir=${cacheFolder}`, '--ui=stream', ...args],
      { cwd: root, env: { ...process.env, TURBO_FORCE: '', TURBO_TELEMETRY_DISABLED: '1', NO_COLOR: '1', VITEST: '' } },
    )

  it('build a chapter into dist, the second time from the cache', async () => {
    await using folder = await temporaryFolder()
    const bundle = join(root, 'chapters/01-intro/dist/mixed/sum.program.mjs')
    const first = await turbo(folder.path, 'build', '--filter=01-intro')
    expect(first.stdout).toMatch(/Cached: +0 cached, \d+ total/)
    const built = await readFile(bundle, 'utf8')
    await rm(bundle)
    const second = await turbo(folder.path, 'build', '--filter=01-intro')
    const [, cached, total] = /Cached: +(\d+) cached, (\d+) total/.exec(second.stdout) ?? []
    expect(Number(cached)).toBeGreaterThan(0)
    expect(cached).toBe(total)
    expect(await readFile(bundle, 'utf8')).toBe(built)
  })

  it("start a chapter's example, with its options", async () => {
    await using folder = await temporaryFolder()
    const { stdout } = await turbo(folder.path, 'start', '--filter=01-intro', '--', 'amdahl', '--json')
    expect(stdout).toMatch(/\{.*"picture":".*amdahl\.svg"/)
  })

  it("run a chapter's tests with vitest", async () => {
    await using folder = await temporaryFolder()
    const { stdout } = await turbo(folder.path, 'test', '--filter=03-parallel', '--dry=json')
    const { tasks } = JSON.parse(stdout) as { tasks: { taskId: string; command: string }[] }
    expect(tasks.find(({ taskId }) => taskId === '03-parallel#test')?.command).toMatch(/^vitest run /)
  })
})
