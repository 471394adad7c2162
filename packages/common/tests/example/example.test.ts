import { dirname, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, it, vi } from 'vitest'
import { readHeader } from '../../src/example/header.ts'
import { runHere } from '../../src/testing/run-here.ts'
import { runProgram } from '../../src/testing/testing.ts'
import declared from '../fixtures/declared.ts'

const file = fileURLToPath(new URL('../fixtures/declared.ts', import.meta.url))
const cleaning = fileURLToPath(new URL('../fixtures/cleaning.ts', import.meta.url))
const run = (...args: string[]) => runProgram(file, args)

const main = (...args: string[]) => runHere(declared, ...args)
const json = async (...args: string[]) => (await main('--json', ...args)).json<object>()

describe('an example from the command line', () => {
  it('prints for readers and ends with 0', async () => {
    expect(await run()).toMatchObject({ code: 0, stdout: 'running with 2 workers\n', stderr: '' })
  })

  it('prints one JSON document and nothing else with --json', async () => {
    const { stdout, json } = await run('--json', '--workers', '3', '--center', '-0.75,0.1', 'one', 'two')
    expect(stdout.split('\n')).toHaveLength(2)
    expect(json()).toMatchObject({ workers: 3, center: [-0.75, 0.1], operands: ['one', 'two'], quick: false })
  })

  it('takes values after a space and after =, and what follows -- as it is', async () => {
    expect(await json('--workers=4', '--colour-scheme', 'dark', '--', '--workers', '9')).toMatchObject({
      workers: 4,
      colourScheme: 'dark',
      operands: ['--workers', '9'],
    })
  })

  it('uses the presets of --quick, but not instead of given values', async () => {
    expect(await json('--quick')).toMatchObject({ workers: 1, quick: true })
    expect(await json('--quick', '--workers', '5')).toMatchObject({ workers: 5 })
  })

  it('explains itself with --help, from its header and its options', async () => {
    const { code, stdout } = await main('--help')
    expect(code).toBe(0)
    expect(stdout).toMatch(/^declared: an example that shows what it was given\n/)
    expect(stdout).toContain('Look for: nothing.')
    expect(stdout).toMatch(/--workers … +worker threads; a whole number from 1 to 8; default 2\n/)
    expect(stdout).toMatch(/--slowly +waits until it is interrupted\n/)
    expect(stdout).toContain('Usage: declared [options] [WORD…]')
  })

  it('refuses a wrong option in one line with exit code 2', async () => {
    const message = 'error: --workers: received "0"; accepts a whole number from 1 to 8\n'
    expect(await run('--workers', '0')).toMatchObject({ code: 2, stdout: '', stderr: message })
  })

  it('reports failed work and its cause in one line, with exit code 1', async () => {
    expect(await main('--fail')).toMatchObject({ code: 1, stderr: 'error: the work failed: of a cause\n' })
  })

  it('reports the first error when cleaning up fails as well, and then what may go on costing money', async () => {
    expect(await runProgram(cleaning, ['--fail'])).toMatchObject({
      code: 1,
      stderr:
        'error: the work failed\nerror: not everything was cleaned up: the second cleaning up failed; the first cleaning up failed\n',
    })
  })

  it("starts relative paths in the reader's folder", async () => {
    const folder = dirname(file)
    vi.stubEnv('INIT_CWD', folder)
    expect(await json('--folder', 'x')).toMatchObject({ folder: join(folder, 'x') })
    vi.stubEnv('INIT_CWD', undefined)
    expect(await json('--folder', 'x')).toMatchObject({ folder: resolve('x') })
    vi.unstubAllEnvs()
  })
})

describe('an example inside a program', () => {
  it('returns its result', async () => {
    expect(await declared.run({ workers: 3, center: [1, 2] }, ['a'])).toMatchObject({
      workers: 3,
      center: [1, 2],
      operands: ['a'],
    })
    expect(declared.figure(await declared.run())).toBe('2 workers')
  })

  it('checks its options as on the command line', async () => {
    await expect(declared.run({ workers: 9 })).rejects.toThrow(
      '--workers: received "9"; accepts a whole number from 1 to 8',
    )
  })
})

describe('a header', () => {
  it('gives name and summary', async () => {
    expect(await readHeader(file)).toMatchObject({
      name: 'declared',
      summary: 'an example that shows what it was given',
    })
  })

  it('must exist', async () => {
    await expect(readHeader(fileURLToPath(import.meta.url))).rejects.toThrow(
      'must open with a comment "example.test: <summary>"',
    )
  })
})
