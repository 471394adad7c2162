/** Runs vitest on tests of a real server that is missing. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, it } from 'vitest'
import { temporaryFolder } from '../../src/process/temporary.ts'

const vitest = join(dirname(fileURLToPath(import.meta.resolve('vitest/package.json'))), 'vitest.mjs')

interface Test {
  fullName: string
  status: string
  failureMessages: string[]
}

async function run(REQUIRE_REAL: string | undefined): Promise<Partial<Test>[]> {
  await using folder = await temporaryFolder()
  const report = join(folder.path, 'tests.json')
  const config = ['--root', '.', '--config', join('tests', 'fixtures', 'needs-real.config.ts')]
  const child = spawn(process.execPath, [vitest, 'run', ...config, '--reporter=json', '--outputFile', report], {
    cwd: fileURLToPath(new URL('../..', import.meta.url)),
    env: { ...process.env, REQUIRE_REAL, VITEST: undefined },
    stdio: 'ignore',
  })
  await once(child, 'close')
  const { testResults } = JSON.parse(await readFile(report, 'utf8')) as { testResults: { assertionResults: Test[] }[] }
  return testResults.flatMap(({ assertionResults }) => assertionResults)
}

it('skips tests under a title that says how to install the server', async () => {
  expect(await run(undefined)).toMatchObject([
    { fullName: 'a server works', status: 'passed' },
    { fullName: 'another (needs another: apt-get install another) works', status: 'skipped' },
  ])
})

it('fails them with REQUIRE_REAL=1', async () => {
  expect(await run('1')).toMatchObject([
    { fullName: 'a server works', status: 'passed' },
    {
      fullName: 'another finds another',
      status: 'failed',
      failureMessages: [
        expect.stringMatching(/^Error: REQUIRE_REAL=1, but another is missing: apt-get install another\n/),
      ],
    },
  ])
})
