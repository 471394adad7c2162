/** What `npm run copy-out` makes installs, compiles and passes its tests with npm alone. */
import { execFile } from 'node:child_process'
import { delimiter, dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { expect, it } from 'vitest'
import { temporaryFolder } from '../../src/process/temporary.ts'
import { runProgram } from '../../src/testing/testing.ts'

const copyOut = fileURLToPath(new URL('../../../../setup/copy-out.mjs', import.meta.url))
const timeout = 900_000

/** A reader's shell: without the variables of this run, and with the Node that runs it. */
const env = {
  ...Object.fromEntries(
    Object.entries(process.env).filter(
      ([name]) => !/^(npm_|VITEST|INIT_CWD$|NODE_ENV$|NODE_OPTIONS$|REQUIRE_REAL$|LONG_TESTS$)/.test(name),
    ),
  ),
  PATH: [dirname(process.execPath), process.env.PATH].join(delimiter),
  NO_COLOR: '1',
}

// A room by itself; one that reaches other rooms, common and a server; and the chapter that readers copy to build upon, of
// which the tests of its own project will do: all of them take minutes.
it.each([['02-async/flow'], ['04-celery/rq'], ['04-celery', 'tests/own-project']])(
  '%s is a project of its own',
  { timeout },
  async (what, ...only) => {
    await using folder = await temporaryFolder()
    const target = join(folder.path, 'copy')
    const { code, stderr } = await runProgram(copyOut, [what, target])
    expect(code, stderr).toBe(0)
    const npm = async (...args: string[]) =>
      (await promisify(execFile)('npm', args, { cwd: target, env, timeout, shell: process.platform === 'win32' }))
        .stdout
    await npm('install', '--no-audit', '--no-fund')
    await npm('run', 'typecheck')
    // npm's exit code says that none failed.
    expect(await npm('test', '--', ...only)).toMatch(/Tests +\d+ passed/)
  },
)
