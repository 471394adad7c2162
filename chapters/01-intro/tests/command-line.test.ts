/** Every example from the command line: its help, what it shows, what it refuses, and Ctrl-C. */
import { fileURLToPath } from 'node:url'
import { runExample } from '@repo/common/testing/testing'
import { describe, expect, it } from 'vitest'

const chapter = fileURLToPath(new URL('..', import.meta.url))
const run = (name: string, ...args: string[]) => runExample(chapter, name, args)

const examples = ['amdahl', 'latency', 'measure', 'messages', 'mixed', 'race']

describe.each(examples)('%s', (name) => {
  it('has a help text with its commands and options', async () => {
    const { code, stdout } = await run(name, '--help')
    expect(code).toBe(0)
    expect(stdout).toMatch(new RegExp(`^${name}: `))
    expect(stdout).toContain(`pnpm --filter 01-intro start ${name}`)
    for (const option of ['Look for: ', '--quick', '--json', '--help']) expect(stdout).toContain(option)
  })

  it('shows a reader a table and a picture', async () => {
    const { code, stdout } = await run(name, '--quick')
    expect(code).toBe(0)
    expect(stdout).toMatch(new RegExp(`^Picture: .*out.01-intro.${name}\\.svg$`, 'm'))
  })
})

it.each([
  ['amdahl', '--fraction', '1.1', '--fraction: received "1.1"; accepts a number from 0 to 1'],
  ['amdahl', '--workers', '10,100,100', '--workers: received "10,100,100"; accepts up to 100 different whole numbers'],
  ['amdahl', '--workers', '100,10', '--workers: received "100,10"; accepts'],
  ['amdahl', '--workers', '1000001', '--workers: received "1000001"; accepts'],
  ['measure', '--serial-fraction', '2', '--serial-fraction: received "2"; accepts a number from 0 to 1'],
  ['measure', '--workers', '0', '--workers: received "0"; accepts a whole number from 1 to 64'],
  ['measure', '--workers', '65', '--workers: received "65"; accepts a whole number from 1 to 64'],
  ['measure', '--pages', '1000000', '--pages: received "1000000"; accepts a whole number from 20 to 10000'],
  ['race', '--workers', '1', '--workers: received "1"; accepts a whole number from 2 to 64'],
  ['race', '--additions', '1e9', '--additions: received "1e9"; accepts a whole number from 1 to 100000000'],
  ['messages', '--sizes', '1MB,1kB', '--sizes: received "1MB,1kB"; accepts up to 100 different sizes'],
  ['messages', '--sizes', '1TB', '--sizes: received "1TB"; accepts'],
  ['mixed', '--layouts', '1x1,1x1', '--layouts: received "1x1,1x1"; accepts up to 10 different layouts'],
  ['mixed', '--layouts', '100x1', '--layouts: received "100x1"; accepts'],
  ['latency', '--samples', '5', '--samples: received "5"; accepts a whole number from 100 to 1000000'],
])('%s %s %s is refused in one line', { concurrent: true }, async (name, option, value, message) => {
  const { code, stdout, stderr } = await run(name, option, value)
  expect({ code, stdout }).toEqual({ code: 2, stdout: '' })
  expect(stderr).toMatch(/^error: [^\n]+\n$/)
  expect(stderr).toContain(message)
})

it.each([
  ['messages', ['--sizes', '1GB']],
  ['mixed', ['--layouts', '16x16']],
])('%s refuses what does not fit into memory before it takes any', async (name, args) => {
  // As on a small machine: the memory that is left is all that the test changes.
  const preload = new URL('./fixtures/little-memory.mjs', import.meta.url).href
  const { code, stdout, stderr } = await runExample(chapter, name, args, {
    env: { NODE_OPTIONS: `--import=${preload}` },
  })
  expect({ code, stdout }).toEqual({ code: 2, stdout: '' })
  expect(stderr).toMatch(/^error: --\w+: received "[^"]+"; accepts [^\n]* 200 MB[^\n]*\n$/)
})

describe.each([
  ['measure', [], /measuring on/],
  ['race', ['--additions', '100000000'], /are counting/],
  ['messages', [], /handing data over/],
  ['mixed', [], /adding up, in turn/],
  ['latency', ['--samples', '100000'], /of \d+\)/],
])('%s at Ctrl-C', (name, args, progress) => {
  it.each([
    ['at its start', /…/],
    ['in the middle of its work', progress],
  ])('%s ends with 130 and leaves nothing behind', async (_, interruptWhen) => {
    const stopped = await runExample(chapter, name, args, { interruptWhen })
    expect(stopped).toMatchObject({ code: 130, stderr: expect.not.stringContaining('rror') })
    expect(await stopped.leftBehind()).toEqual([])
  })
})
