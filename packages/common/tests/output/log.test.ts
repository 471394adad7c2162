import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import type { Logger } from 'pino'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { logger } from '../../src/output/log.ts'
import { loader } from '../../src/process/child.ts'
import { runProgram } from '../../src/testing/testing.ts'
import { describeReal } from '../../src/testing/vitest.ts'

const cwd = fileURLToPath(new URL('..', import.meta.url))
const run = (args: string[] = []) => runProgram('fixtures/log.ts', args, { cwd, env: { LOG_LEVEL: undefined } })
const parse = (stderr: string) =>
  stderr
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line))

describe('the log of a program', () => {
  it('is complete: a JSON document in each line of standard error, without secrets', async () => {
    const { code, stdout, stderr } = await run()
    expect(code).toBe(0)
    expect(stdout).toBe('')
    expect(stderr).not.toContain('hunter2')
    expect(stderr).not.toContain('ter2@')
    const lines = parse(stderr)
    expect(lines).toHaveLength(504)
    expect(lines[0]).toMatchObject({
      level: 30,
      name: 'fixture',
      msg: 'connected',
      job: 7,
      tokens: 12,
      redis: 'redis://app:***@10.0.0.1:6379/0',
    })
    expect(lines[1].request).toEqual({ deep: { headers: { Authorization: '***' } }, options: { password: '***' } })
    expect(lines[2].msg).toBe('retrying amqp://app:***@host/ and postgres://u:***@host/db')
    expect(lines[3]).toMatchObject({ level: 50, apiKey: '***', err: { message: 'at redis://:***@host', token: '***' } })
    expect(lines.slice(4).map(({ line }) => line)).toEqual(Array.from({ length: 500 }, (_, line) => line))
  })

  it('is complete when the program crashes', async () => {
    const { code, stderr } = await run(['throw'])
    expect(code).toBe(1)
    expect(stderr).toContain('"line":499')
    expect(stderr).toContain('Error: crashed')
  })
})

const script = '/usr/bin/script'
const terminal = {
  name: 'script on Linux',
  found: process.platform === 'linux' && existsSync(script),
  install: 'sudo apt-get install bsdutils',
}

describeReal('the log of a program on a terminal', terminal, () => {
  it.each([
    { noColor: undefined, colours: true },
    { noColor: '1', colours: false },
  ])('is readable, NO_COLOR=$noColor', async ({ noColor, colours }) => {
    const program = `exec '${process.execPath}' ${loader().join(' ')} fixtures/log.ts`
    const env = { ...process.env, TERM: 'xterm-256color', CI: undefined, FORCE_COLOR: undefined, NO_COLOR: noColor }
    const { stdout } = await promisify(execFile)(script, ['-qec', program, '/dev/null'], { cwd, env })
    expect(stdout).toMatch(/\d\d:\d\d:\d\d\.\d{3}.*INFO.*fixture.*connected/)
    expect(stdout).toContain('redis://app:***@10.0.0.1:6379/0')
    expect(stdout).not.toContain('hunter2')
    expect(stdout.includes('\u001b[')).toBe(colours)
    expect(stdout).toContain('499')
  })
})

/** Returns the lines that `say` writes. */
function linesOf(say: (log: Logger) => void) {
  const lines: string[] = []
  say(logger('part', { write: (line) => lines.push(line) }))
  return lines.map((line) => JSON.parse(line))
}

describe('lines for a given destination', () => {
  afterEach(() => void vi.unstubAllEnvs())

  it('are JSON without secrets', () => {
    expect(linesOf((log) => log.info({ secret: { of: 'many' } }, 'said'))).toEqual([
      expect.objectContaining({ secret: '***', msg: 'said' }),
    ])
  })

  it.each([
    ['debug', ['debug', 'info', 'error']],
    ['error', ['error']],
    ['', ['info', 'error']],
    ['silent', []],
  ])('have the levels at or above LOG_LEVEL=%s', (level, expected) => {
    vi.stubEnv('LOG_LEVEL', level)
    const lines = linesOf((log) => {
      for (const each of ['debug', 'info', 'error'] as const) log[each](each)
    })
    expect(lines.map(({ msg }) => msg)).toEqual(expected)
  })

  it('begin with the levels that exist when LOG_LEVEL is none of them', () => {
    vi.stubEnv('LOG_LEVEL', 'verbose')
    expect(linesOf((log) => log.info('said'))).toMatchObject([
      {
        level: 40,
        msg: 'LOG_LEVEL: received "verbose"; accepts trace, debug, info, warn, error, fatal, silent; using info',
      },
      { level: 30, msg: 'said' },
    ])
  })

  it('say so when something cannot be logged, and go on', () => {
    const hostile = Object.defineProperty(new Error('hidden'), 'message', {
      get: () => {
        throw new Error('caught')
      },
    })
    const lines = linesOf((log) => {
      for (const thrown of [hostile, { err: hostile }, { toJSON: hostile }, null]) log.error(thrown)
      log.info('next')
    })
    expect(lines.slice(0, 2).map(({ level, msg }) => [level, msg])).toEqual(
      Array(2).fill([50, 'cannot be logged: caught']),
    )
    expect(lines.at(-1)).toMatchObject({ msg: 'next' })
  })

  it('say what JSON has no text for', () => {
    const lines = linesOf((log) => {
      log.info(Symbol('lost') as never)
      log.info({ job: 7 }, Symbol('lost') as never)
      log.info('a %s', Symbol('lost'))
      log.info((() => 1) as never)
    })
    expect(lines.map(({ msg }) => msg)).toEqual(['Symbol(lost)', 'Symbol(lost)', 'a Symbol(lost)', '() => 1'])
  })

  it('show neither the password nor the command of an error of ioredis', () => {
    const err = Object.assign(new Error('WRONGPASS'), { command: { name: 'auth', args: ['app', 'hunter2'] } })
    expect(linesOf((log) => log.error({ err }))[0].err).toMatchObject({
      message: 'WRONGPASS',
      command: { name: 'auth' },
    })
    expect(JSON.stringify(linesOf((log) => log.error({ err })))).not.toContain('hunter2')
  })
})
