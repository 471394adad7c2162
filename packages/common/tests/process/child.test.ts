import { randomUUID } from 'node:crypto'
import { getEventListeners } from 'node:events'
import { existsSync } from 'node:fs'
import { readdir } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { until } from '../../src/async/until.ts'
import { startProgram, startServer } from '../../src/process/child.ts'
import { leavesNothingRunning } from '../../src/testing/vitest.ts'

const child = new URL('../fixtures/child.ts', import.meta.url)

const running = leavesNothingRunning()

describe('a TypeScript program', () => {
  const reapers = async () => (await running()).filter((line) => line.includes('reaper')).length

  it('passes on its info, exchanges messages, and gets its folder and environment', async () => {
    const lines: string[] = []
    await using program = await startProgram<{ pid: number; greeting: string }>(child, {
      args: ['echo'],
      env: { GREETING: 'hello' },
      cwd: tmpdir(),
      onLine: (line) => lines.push(line),
    })
    expect(program.info).toEqual({ pid: program.pid, greeting: 'hello' })
    expect(await reapers()).toBe(1)

    const answer = new Promise((resolve) => program.process.once('message', resolve))
    program.process.send({ task: [1, 2, 3] })
    expect(await answer).toEqual({ echo: { task: [1, 2, 3] } })
    await until(() => lines.includes(`cwd ${tmpdir()}`))
  })

  it('has a path or a URL, and says how it ended by itself', async () => {
    await using program = await startProgram(fileURLToPath(child), { args: ['exit'] })
    expect(program.info).toBeUndefined()
    expect(await program.exited).toEqual({ code: 3, signal: null })
    expect(await program.stop()).toEqual({ code: 3, signal: null })
  })

  it.each([{ readyTimeoutMs: Number.NaN }, { stopTimeoutMs: -1 }])('refuses %o before it starts', async (options) => {
    await expect(startProgram(child, { args: ['echo'], ...options })).rejects.toThrow(/^\w+TimeoutMs: received/)
  })

  it('is ready when it says so, whatever else it sends before', async () => {
    await using program = await startProgram<string>(child, { args: ['chatty'] })
    expect(program.info).toBe('at last')
    expect(program.process.listenerCount('message')).toBe(0)
  })

  it('is stopped once, however often `stop` is called, and has more time than Node can wait', async () => {
    const program = await startProgram(child, { args: ['echo'], readyTimeoutMs: 2 ** 31, stopTimeoutMs: Infinity })
    const [first, second] = await Promise.all([program.stop(), program.stop()])
    expect(first).toEqual({ code: null, signal: 'SIGTERM' })
    expect(second).toBe(first)
    await program[Symbol.asyncDispose]()
    await program[Symbol.asyncDispose]()
    // A message to a program that has ended is lost, and is not an uncaught error.
    program.process.send('anyone?')
  })

  it('is killed when it ignores SIGTERM', async () => {
    const lines: string[] = []
    const onLine = (line: string) => lines.push(line)
    await using program = await startProgram(child, { args: ['stubborn'], stopTimeoutMs: 100, onLine })
    program.process.kill('SIGTERM')
    await until(() => lines.includes('not now'))
    expect(await program.stop()).toEqual({ code: null, signal: 'SIGKILL' })
  })

  it('fails to start, with its last output, when it crashes', async () => {
    await expect(startProgram(child, { args: ['crash'] })).rejects.toThrow(
      /^child\.ts ended with code 1 before it was ready; its last output:[\s\S]*no such table: orders/,
    )
  })

  it('fails to start when it is not ready in time', async () => {
    await expect(startProgram(child, { args: ['never'], readyTimeoutMs: 200 })).rejects.toThrow(
      'child.ts was not ready within 0.2 s',
    )
  })

  it('fails to start when it does not exist', async () => {
    await expect(startProgram(join(tmpdir(), `${randomUUID()}.ts`))).rejects.toThrow(
      /ended with code 1[\s\S]*MODULE_NOT_FOUND/,
    )
  })

  it('stops when its signal is aborted: before the start, during it, and later', async () => {
    const reason = new Error('the reader changed their mind')
    await expect(startProgram(child, { args: ['echo'], signal: AbortSignal.abort(reason) })).rejects.toBe(reason)

    const starting = new AbortController()
    const warm = (line: string) => line === 'still warming up' && starting.abort(reason)
    await expect(startProgram(child, { args: ['never'], signal: starting.signal, onLine: warm })).rejects.toBe(reason)

    const later = new AbortController()
    await using program = await startProgram(child, { args: ['echo'], signal: later.signal })
    later.abort()
    expect(await program.exited).toEqual({ code: null, signal: 'SIGTERM' })
    for (const { signal } of [starting, later]) expect(getEventListeners(signal, 'abort')).toEqual([])
  })

  it('may be given up until it is ready, and not later', async () => {
    const reason = new Error('the reader changed their mind')
    const starting = new AbortController()
    const warm = (line: string) => line === 'still warming up' && starting.abort(reason)
    const never = startProgram(child, { args: ['never'], untilReady: starting.signal, onLine: warm })
    await expect(never).rejects.toBe(reason)

    const later = new AbortController()
    await using program = await startProgram(child, { args: ['echo'], untilReady: later.signal })
    expect(getEventListeners(later.signal, 'abort')).toEqual([])
    expect(program.process.exitCode).toBeNull()
  })

  it('starts many at once', async () => {
    const programs = await Promise.all(Array.from({ length: 4 }, () => startProgram(child, { args: ['echo'] })))
    expect(new Set(programs.map(({ pid }) => pid)).size).toBe(4)
    expect(await reapers()).toBe(1)
    await Promise.all(programs.map((program) => program.stop()))
  })
})

describe('a server', () => {
  it('says that it cannot be started', async () => {
    await expect(startServer({ command: 'no-such-server', ready: /ready/ })).rejects.toMatchObject({
      message: 'no-such-server cannot be started',
      cause: { code: 'ENOENT' },
    })
  })

  const node = (source: string) => ({ command: process.execPath, args: ['-e', source] })

  it.each(['stop', 'kill'] as const)('has its own folder for temporary files, which is gone after %s', async (end) => {
    const lines: string[] = []
    const source = `
      const { writeFileSync } = require('node:fs')
      const { join } = require('node:path')
      const folder = require('node:os').tmpdir()
      writeFileSync(join(folder, 'left behind'), '')
      console.log(folder)
      setInterval(() => {}, 1_000)`
    const onLine = (line: string) => lines.push(line)
    await using server = await startServer({ ...node(source), ownTemporaryFolder: true, ready: /./, onLine })
    const [folder = ''] = lines
    expect(await readdir(folder)).toEqual(['left behind'])
    expect(await server[end]()).toEqual({ code: null, signal: end === 'stop' ? 'SIGTERM' : 'SIGKILL' })
    expect(existsSync(folder)).toBe(false)
  })

  it('leaves no folder when it does not become ready', async () => {
    const lines: string[] = []
    const onLine = (line: string) => lines.push(line)
    const ends = node("console.log(require('node:os').tmpdir())")
    await expect(startServer({ ...ends, ownTemporaryFolder: true, ready: /ready/, onLine })).rejects.toThrow('code 0')
    expect(lines[0]).not.toBe(tmpdir())
    expect(existsSync(lines[0] ?? '')).toBe(false)
  })

  it('is ready when a line says so, and passes on every line until its end', async () => {
    const lines: string[] = []
    const server = await startServer({
      ...node(`
        console.log('warming up')
        setTimeout(() => {
          console.error('listening')
          for (let line = 0; line < 5_000; line++) console.log('line', line)
          process.exitCode = 4
        }, 50)`),
      ready: /^listening/,
      onLine: (line) => lines.push(line),
    })
    expect(lines).toContain('listening')
    expect(await server.exited).toEqual({ code: 4, signal: null })
    expect(lines).toHaveLength(5_002)
  })

  it('that fails to start is described by its last 20 lines', async () => {
    const source = `for (let line = 1; line <= 30; line++) console.log('line', line); process.exitCode = 1`
    const error: Error = await startServer({ ...node(source), ready: /never/ }).then(
      () => expect.unreachable(),
      (reason) => reason,
    )
    const last = Array.from({ length: 20 }, (_, at) => `line ${at + 11}`)
    expect(error.message).toBe(['node ended with code 1 before it was ready; its last output:', ...last].join('\n'))
  })

  it.each([
    ['process.exit(3)', 'node ended with code 3 before it was ready'],
    ['console.log("no"); process.exitCode = 3', 'node ended with code 3 before it was ready; its last output:\nno'],
  ])('that fails to start is described by as many lines as there are: %s', async (source, message) => {
    await expect(startServer({ ...node(source), ready: /never/ })).rejects.toThrow(new Error(message))
  })

  it('is not started when its signal is aborted before', async () => {
    const reason = new Error('the reader changed their mind')
    const signal = AbortSignal.abort(reason)
    await expect(startServer({ ...node('setInterval(() => {}, 1000)'), ready: async () => true, signal })).rejects.toBe(
      reason,
    )
  })

  const spawning = (options: string) =>
    node(`
      const { spawn } = require('node:child_process')
      const { pid } = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)'], ${options})
      console.log('listening', pid)
      setInterval(() => {}, 1000)`)

  it('does not leave behind what it has started, however it ends', async () => {
    await using parent = await startServer({ ...spawning("{ stdio: 'ignore' }"), ready: /^listening/ })
    parent.process.kill('SIGKILL')
    // Afterwards no process is left.
    expect(await parent.exited).toEqual({ code: null, signal: 'SIGKILL' })
  })

  it('ends even if a process that left its group holds its output', async () => {
    let pid = 0
    await using parent = await startServer({
      ...spawning("{ stdio: 'inherit', detached: true }"),
      ready: /^listening/,
      onLine: (line) => {
        pid = Number(line.split(' ')[1])
      },
    })
    expect(await parent.stop()).toEqual({ code: null, signal: 'SIGTERM' })
    process.kill(pid, 'SIGKILL')
    await until(async () => (await running()).length === 0)
  })

  it('is ready when its check says so, and fails as the check does', async () => {
    let asked = 0
    const server = { command: process.execPath, args: ['-e', 'setInterval(() => {}, 1000)'] }
    const { signal } = new AbortController()
    await using started = await startServer({ ...server, signal, ready: async (pid) => pid > 0 && ++asked === 3 })
    expect(getEventListeners(signal, 'abort')).toEqual([])
    expect(asked).toBe(3)
    expect(started.process.exitCode).toBeNull()
    const ready = () => Promise.reject(new Error('the check is broken'))
    await expect(startServer({ ...server, ready })).rejects.toThrow('the check is broken')
  })
})
