/** The command line of every example: help, a wrong option, Ctrl-C, and an output that takes nothing. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { dirname } from 'node:path'
import { text } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'
import { readChapter } from '@repo/common/example/chapter'
import { loader } from '@repo/common/process/child'
import { abortHere, runHere } from '@repo/common/testing/run-here'
import { runExample } from '@repo/common/testing/testing'
import { describe, expect, it } from 'vitest'
import backpressure from '../examples/backpressure.ts'
import cancellation from '../examples/cancellation.ts'
import coroutines from '../examples/coroutines.ts'
import eventLoop from '../examples/event-loop.ts'
import fetchMany from '../examples/fetch-many.ts'
import grep from '../examples/grep.ts'
import iterators from '../examples/iterators.ts'
import mgrep from '../examples/mgrep.ts'
import server from '../examples/server.ts'

const chapter = dirname(fileURLToPath(new URL('.', import.meta.url)))
const all = {
  backpressure,
  cancellation,
  coroutines,
  'event-loop': eventLoop,
  'fetch-many': fetchMany,
  grep,
  iterators,
  mgrep,
  server,
}

it('tests every example', async () => {
  const { examples } = await readChapter(chapter)
  expect(Object.keys(all)).toEqual(examples.map(({ name }) => name))
})

describe.each(Object.entries(all))('%s', (name, example) => {
  it('explains itself', async () => {
    const { code, stdout } = await runHere(example, '--help')
    expect(code).toBe(0)
    expect(stdout).toMatch(new RegExp(`^${name}: `))
    expect(stdout).toContain(`pnpm --filter 02-async start ${name}`)
    expect(stdout).toContain('--quick')
  })

  it('refuses an option it does not know', async () => {
    const { code, stdout, stderr } = await runHere(example, '--no-such-option')
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' })
    expect(stderr).toMatch(/^error: option: received "--no-such-option"; accepts --[^\n]+\n$/)
  })
})

describe('an interrupted example', () => {
  // Once grep has looked at it, standard input stays open.
  void process.stdin

  it.each([
    ['backpressure', () => abortHere(backpressure)],
    ['cancellation', () => abortHere(cancellation)],
    ['event-loop', () => abortHere(eventLoop)],
    ['fetch-many', () => abortHere(fetchMany)],
    ['grep', () => abortHere(grep, { rounds: 1000 })],
    ['server', () => abortHere(server)],
  ])('stops, and leaves nothing open: %s', async (_, abort) => {
    expect(await abort()).toBeInstanceOf(Error)
  })

  it('ends with 130 at Ctrl-C, with its processes and their connections', async () => {
    const run = await runExample(chapter, 'server', [], { interruptWhen: /ask/ })
    expect(run.code, run.stderr).toBe(130)
    expect(await run.leftBehind()).toEqual([])
  })

  it('ends with 130 at Ctrl-C while its thread is blocked', async () => {
    // 4 × 12 pages: of the plain lines of progress, some two seconds apart, the first come while it fetches one by one,
    // and a later one when it is blocked. There is enough left to do until Ctrl-C arrives.
    const args = ['--latency', '400', '--pages', '12', '--json']
    const run = await runExample(chapter, 'fetch-many', args, { interruptWhen: /\((1[3-9]|2[0-4]) of/ })
    expect(run.code).toBe(130)
    expect(await run.leftBehind()).toEqual([])
  })
})

it.each([
  ['iterators', []],
  ['cancellation', ['--tasks', '3']],
])('%s ends quietly when nobody reads its output', async (name, args) => {
  const child = spawn(process.execPath, [...loader(), `examples/${name}.ts`, '--quick', ...args], {
    cwd: chapter,
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  // As `| head -1` does.
  child.stdout.once('data', () => child.stdout.destroy())
  const [stderr, [code, signal]] = await Promise.all([text(child.stderr), once(child, 'close')])
  expect({ code, signal }).toEqual({ code: 0, signal: null })
  expect(stderr).not.toMatch(/error/i)
})

// Linux has a device that is always full.
it.skipIf(process.platform !== 'linux')('says in one line that a full disk does not take its output', async () => {
  const command = ['-c', 'exec "$@" > /dev/full', 'sh', process.execPath, ...loader(), 'examples/coroutines.ts']
  const child = spawn('sh', command, { cwd: chapter, stdio: ['ignore', 'ignore', 'pipe'] })
  const [stderr, [code]] = await Promise.all([text(child.stderr), once(child, 'close')])
  expect(code).toBe(1)
  expect(stderr).toMatch(/^error: standard output cannot be written[^\n]*\n$/)
})
