import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { describe, expect, it } from 'vitest'
import { logger } from '../../src/output/log.ts'
import { runProgram } from '../../src/testing/testing.ts'

const cwd = fileURLToPath(new URL('..', import.meta.url))
const run = (level?: string, args: string[] = []) =>
  runProgram('fixtures/log.ts', args, { cwd, env: { LOG_LEVEL: level } })
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
    expect(lines).toHaveLength(2_004)
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
    expect(lines.slice(4).map(({ line }) => line)).toEqual(Array.from({ length: 2_000 }, (_, line) => line))
  })

  it('is complete when the program crashes', async () => {
    const { code, stderr } = await run('info', ['throw'])
    expect(code).toBe(1)
    expect(stderr).toContain('"line":1999')
    expect(stderr).toContain('Error: crashed')
  })

  it('has the levels at or above LOG_LEVEL', async () => {
    expect(parse((await run('debug')).stderr)[0]).toMatchObject({ level: 20, msg: 'for the curious' })
    expect(parse((await run('error')).stderr)).toHaveLength(1)
    expect((await run('silent')).stderr).toBe('')
  })

  it('lists the levels when LOG_LEVEL is none of them, and continues', async () => {
    const lines = parse((await run('verbose')).stderr)
    expect(lines[0]).toMatchObject({
      level: 40,
      msg: 'LOG_LEVEL: received "verbose"; accepts trace, debug, info, warn, error, fatal, silent; using info',
    })
    expect(lines).toHaveLength(2_005)
  })

  const script = '/usr/bin/script'
  it.skipIf(process.platform !== 'linux' || !existsSync(script)).each([
    { noColor: undefined, colours: true },
    { noColor: '1', colours: false },
  ])('is readable on a terminal, NO_COLOR=$noColor', async ({ noColor, colours }) => {
    const program = `exec '${process.execPath}' --import tsx fixtures/log.ts`
    const env = { ...process.env, TERM: 'xterm-256color', CI: undefined, FORCE_COLOR: undefined, NO_COLOR: noColor }
    const { stdout } = await promisify(execFile)(script, ['-qec', program, '/dev/null'], { cwd, env })
    expect(stdout).toMatch(/\d\d:\d\d:\d\d\.\d{3}.*INFO.*fixture.*connected/)
    expect(stdout).toContain('redis://app:***@10.0.0.1:6379/0')
    expect(stdout).not.toContain('hunter2')
    expect(stdout.includes('\u001b[')).toBe(colours)
    expect(stdout).toContain('1999')
  })
})

it('writes JSON to a given destination', () => {
  const lines: string[] = []
  logger('part', { write: (line) => lines.push(line) }).info({ secret: { of: 'many' } }, 'said')
  expect(lines.map((line) => JSON.parse(line))).toEqual([expect.objectContaining({ secret: '***', msg: 'said' })])
})
