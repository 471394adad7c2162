/** Runs of the bench whose output is closed or full: they end, and keep what can be kept. */
import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { loader } from '@repo/common/process/child'
import { temporaryFolder } from '@repo/common/process/temporary'
import { leavesNothingRunning } from '@repo/common/testing/vitest'
import { expect, it } from 'vitest'
import { readResults } from '../../src/harness/results.ts'

leavesNothingRunning()

const cwd = fileURLToPath(new URL('../..', import.meta.url))

/** Runs a few rungs of the ladder, and then the start of a chapter, in a script of the shell in which "$@" is the bench. */
async function runIn(script: string, results: string) {
  const bench = [
    ...loader(),
    'examples/suites.ts',
    'ladder',
    'starting',
    '--quick',
    '--only',
    'call,microtask,message,batch,01-intro',
  ]
  const args = ['-c', script, 'sh', process.execPath, ...bench, '--results', results]
  const run = promisify(execFile)('sh', args, { cwd, env: { ...process.env, NODE_ENV: undefined, VITEST: undefined } })
  const { code = 0, stdout, stderr } = await run.catch((error) => error)
  // Every two seconds there is a line about the progress.
  return { code, stdout, stderr: stderr.replaceAll(/^\w+: .* \d+ %\n/gm, '') }
}

it.skipIf(process.platform === 'win32')(
  'ends quietly when nobody reads on, and keeps what it has measured',
  async () => {
    await using folder = await temporaryFolder()
    const { stdout, stderr } = await runIn('{ "$@"; echo "ended with $?" >&2; } | head -1', folder.path)
    expect(stdout).toMatch(/^ladder, starting: a quick run on .*\n$/)
    expect(stderr).toBe('ended with 0\n')
    const [file = ''] = (await readdir(folder.path)).filter((name) => name.endsWith('.json'))
    const { suites } = await readResults('--against', join(folder.path, file), true)
    expect(Object.keys(suites)).toEqual(['ladder'])
    expect(suites.ladder?.rows.map(({ samples }) => samples.aloneNs?.length)).toEqual([5, 5, 5, 5])
  },
)

it.skipIf(!existsSync('/dev/full'))('says in one line that its output cannot be written', async () => {
  await using folder = await temporaryFolder()
  const { code, stderr } = await runIn('"$@" > /dev/full', folder.path)
  expect({ code, stderr }).toEqual({
    code: 1,
    stderr: expect.stringMatching(/^error: standard output cannot be written: ENOSPC: .*\n$/),
  })
})

it.skipIf(process.platform === 'win32')(
  'shows what it has measured, and says that there is no room for it',
  async () => {
    await using folder = await temporaryFolder()
    // No file may have more than one or two kilobytes, depending on the shell: there is room for the trial only.
    const { code, stdout, stderr } = await runIn(`ulimit -f 2 && TMPDIR='${folder.path}' exec "$@"`, folder.path)
    expect({ code, stderr }).toEqual({
      code: 1,
      stderr: expect.stringMatching(/^error: \S+\.json: results cannot be written: EFBIG: .*\n$/),
    })
    expect(stdout).toContain('a message to a thread')
    expect(await readdir(folder.path)).toEqual([])
  },
)
