/** Every example from the command line: its help, what it refuses, and Ctrl-C. */
import { fileURLToPath } from 'node:url'
import { abortHere, runHere } from '@repo/common/testing/run-here'
import { runExample } from '@repo/common/testing/testing'
import { afterEach, describe, expect, it, vi } from 'vitest'
import amdahl from '../examples/amdahl.ts'
import latency from '../examples/latency.ts'
import measure from '../examples/measure.ts'
import messages from '../examples/messages.ts'
import mixed from '../examples/mixed.ts'
import race from '../examples/race.ts'

const chapter = fileURLToPath(new URL('..', import.meta.url))
const examples = { amdahl, latency, measure, messages, mixed, race }

afterEach(() => {
  vi.restoreAllMocks()
})

describe.each(Object.entries(examples))('%s', (name, example) => {
  it('has a help text with its commands and options', async () => {
    const { code, stdout } = await runHere(example, '--help')
    expect(code).toBe(0)
    expect(stdout).toMatch(new RegExp(`^${name}: `))
    expect(stdout).toContain(`pnpm --filter 01-intro start ${name}`)
    for (const option of ['Look for: ', '--quick', '--json', '--help']) expect(stdout).toContain(option)
  })
})

describe('what is impossible', () => {
  it.each([
    [amdahl, '--fraction', '1.1', '--fraction: received "1.1"; accepts a number from 0 to 1'],
    [amdahl, '--workers', '10,100,100', '--workers: received "10,100,100"; accepts up to 100 different whole numbers'],
    [amdahl, '--workers', '100,10', '--workers: received "100,10"; accepts'],
    [amdahl, '--workers', '1000001', '--workers: received "1000001"; accepts'],
    [measure, '--serial-fraction', '2', '--serial-fraction: received "2"; accepts a number from 0 to 1'],
    [measure, '--workers', '0', '--workers: received "0"; accepts a whole number from 1 to 64'],
    [measure, '--workers', '65', '--workers: received "65"; accepts a whole number from 1 to 64'],
    [measure, '--pages', '1000000', '--pages: received "1000000"; accepts a whole number from 20 to 10000'],
    [race, '--workers', '1', '--workers: received "1"; accepts a whole number from 2 to 64'],
    [race, '--additions', '1e9', '--additions: received "1e9"; accepts a whole number from 1 to 100000000'],
    [race, '--apart', '6', '--apart: received "6"; accepts one of 4, 8, 16, 32, 64, 128'],
    [messages, '--sizes', '1MB,1kB', '--sizes: received "1MB,1kB"; accepts up to 100 different sizes'],
    [messages, '--sizes', '1TB', '--sizes: received "1TB"; accepts'],
    [mixed, '--layouts', '1x1,1x1', '--layouts: received "1x1,1x1"; accepts up to 10 different layouts'],
    [mixed, '--layouts', '100x1', '--layouts: received "100x1"; accepts'],
    [latency, '--samples', '5', '--samples: received "5"; accepts a whole number from 100 to 1000000'],
  ])('is refused in one line: %# %s %s', async (example, option, value, message) => {
    const { code, stdout, stderr } = await runHere(example, option, value)
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' })
    expect(stderr).toMatch(/^error: [^\n]+\n$/)
    expect(stderr).toContain(message)
  })

  it('ends a process with exit code 2', async () => {
    const { code, stdout, stderr } = await runExample(chapter, 'race', ['--workers', '1'])
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' })
    expect(stderr).toMatch(/^error: --workers: received "1"; accepts [^\n]+\n$/)
  })

  it.each([
    [messages, '--sizes', '1GB'],
    [mixed, '--layouts', '16x16'],
  ])('is refused before it takes memory that is not there: %# %s %s', async (example, option, value) => {
    vi.spyOn(process, 'availableMemory').mockReturnValue(200e6)
    const { code, stdout, stderr } = await runHere(example, option, value)
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' })
    expect(stderr).toMatch(/^error: --\w+: received "[^"]+"; accepts [^\n]* 200 MB[^\n]*\n$/)
  })
})

describe('an interrupted example', () => {
  it.each([
    ['latency', () => abortHere(latency)],
    ['measure', () => abortHere(measure)],
    ['messages', () => abortHere(messages)],
    ['mixed', () => abortHere(mixed)],
    ['race', () => abortHere(race)],
  ])('stops, and leaves nothing open: %s', async (_, abort) => {
    expect(await abort()).toBeInstanceOf(Error)
  })

  it('ends with 130 at Ctrl-C at its start', async () => {
    const stopped = await runExample(chapter, 'latency', [], { interruptWhen: /…/ })
    expect(stopped).toMatchObject({ code: 130, stderr: expect.not.stringContaining('rror') })
    expect(await stopped.leftBehind()).toEqual([])
  })
})
