import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { loader } from '@repo/common/process/child'
import { freePort } from '@repo/common/process/ports'
import { runHere } from '@repo/common/testing/run-here'
import { afterEach, describe, expect, it } from 'vitest'
import debugExample from '../../examples/debug.ts'
import profileExample from '../../examples/profile.ts'
import { type CpuProfile, flames, hotFunctions } from '../../src/inspect/cpu-profile.ts'
import { attach, Inspector, isClosed, openForEditor } from '../../src/inspect/inspector.ts'
import { listeningPorts } from '../../src/inspect/ports.ts'
import { startTarget } from './target.ts'

const chapter = join(import.meta.dirname, '../..')

/** main calls quick and slow, which calls itself; a sample every 10 µs. */
const call = (id: number, functionName: string, children: number[] = []) => ({
  id,
  children,
  callFrame: { functionName, scriptId: '1', url: 'file:///a.ts', lineNumber: id, columnNumber: 0 },
})
const profile: CpuProfile = {
  nodes: [
    call(1, '(root)', [2, 3]),
    call(2, '(idle)'),
    call(3, 'main', [4, 5]),
    call(4, 'quick'),
    call(5, 'slow', [6]),
    call(6, 'slow'),
  ],
  startTime: 0,
  endTime: 100,
  samples: [2, 2, 3, 4, 5, 5, 6, 6, 6, 6],
  timeDeltas: Array(10).fill(10),
}
// A recursive function has one location.
for (const node of profile.nodes) if (node.id === 6) node.callFrame.lineNumber = 5

describe('a CPU profile', () => {
  it('sorts functions by self time; recursion counts once', () => {
    const { functions, busy } = hotFunctions(profile, (_, line) => ({ file: 'a.ts', line: line + 1 }))
    expect(busy).toBeCloseTo(0.8)
    expect(functions.map(({ name, self, total }) => [name, Math.round(self * 80), Math.round(total * 80)])).toEqual([
      ['slow', 60, 60],
      ['main', 10, 80],
      ['quick', 10, 10],
    ])
  })

  it('becomes a flame graph, widest first', () => {
    expect(
      flames(profile).map(({ name, depth, from, to }) => `${depth} ${name} ${from.toFixed(3)} ${to.toFixed(3)}`),
    ).toEqual(['0 all 0.000 1.000', '1 main 0.000 1.000', '2 slow 0.000 0.750', '2 quick 0.750 0.875'])
  })
})

describe("a user's process", () => {
  const started: ReturnType<typeof spawn>[] = []
  afterEach(() => {
    for (const child of started.splice(0)) child.kill('SIGKILL')
  })
  /** A busy process whose inspector is open. */
  async function inspected() {
    const child = spawn(process.execPath, ['--inspect=127.0.0.1:0', '-e', busy])
    started.push(child)
    const [said] = await once(child.stderr, 'data')
    return { child, port: /127\.0\.0\.1:(\d+)/.exec(String(said))?.[1] ?? '' }
  }
  const busy =
    'function fibonacci(n) { return n < 2 ? n : fibonacci(n - 1) + fibonacci(n - 2) }; setInterval(() => fibonacci(27), 20)'

  it('is profiled by its pid, and its inspector is closed', async () => {
    const port = await freePort()
    const child = spawn(process.execPath, [`--inspect-port=127.0.0.1:${port}`, '-e', `${busy}; console.log('up')`])
    started.push(child)
    await once(child.stdout, 'data')
    const args = ['--pid', String(child.pid), '--port', String(port), '--quick', '--json']
    const done = await runHere(profileExample, ...args)
    const { file, process: named } = done.json<{ file: string; process: string }>()
    expect(named).toBe(String(child.pid))
    const saved = JSON.parse(await readFile(file, 'utf8')) as CpuProfile
    expect(saved.nodes.map(({ callFrame }) => callFrame.functionName)).toContain('fibonacci')
    await expect(fetch(`http://127.0.0.1:${port}/json/list`)).rejects.toThrow()
    expect(child.exitCode).toBe(null)
  })

  it('that has ended, or is not Node, is refused in one line and left alone', async () => {
    const ended = spawn(process.execPath, ['-e', '0'])
    await once(ended, 'exit')
    expect(await runHere(profileExample, '--pid', String(ended.pid))).toMatchObject({
      code: 2,
      stderr: `error: --pid: received "${ended.pid}"; accepts the id of a Node process that runs and is yours; this one has ended\n`,
    })
    const sleeping = spawn('sleep', ['60'])
    started.push(sleeping)
    const refused = await runHere(profileExample, '--pid', String(sleeping.pid))
    expect(refused).toMatchObject({ code: 2, stderr: expect.stringMatching(/this one is sleep\n$/) })
    expect(sleeping.signalCode).toBe(null)
  })

  it('that ends while being profiled gives one line, at once', async () => {
    const { child, port } = await inspected()
    // Ten minutes; the test must not wait that long.
    const args = ['--pid', String(child.pid), '--port', port, '--seconds', '600']
    const profiling = spawn(process.execPath, [...loader(), 'examples/profile.ts', ...args], { cwd: chapter })
    started.push(profiling)
    let errors = ''
    profiling.stderr.on('data', (text) => {
      errors += text
    })
    for await (const line of createInterface(profiling.stdout)) if (line.startsWith('Process')) child.kill('SIGKILL')
    expect(await once(profiling, 'close')).toEqual([1, null])
    expect(errors).toMatch(/^error: the process has ended, or its inspector was closed\n$/)
  })

  it('is not mistaken for another one, whose inspector stays open', async () => {
    const [one, other] = [await inspected(), await inspected()]
    expect(await runHere(profileExample, '--pid', String(one.child.pid), '--port', other.port)).toMatchObject({
      code: 2,
      stderr: `error: --port: received "${other.port}"; accepts the port of the inspector of process ${one.child.pid}; process ${other.child.pid} listens there\n`,
    })
    expect((await fetch(`http://127.0.0.1:${other.port}/json/list`)).ok).toBe(true)
  })

  it('that somebody else debugs stays debugged', async () => {
    const { child, port } = await inspected()
    const [target] = (await (await fetch(`http://127.0.0.1:${port}/json/list`)).json()) as {
      webSocketDebuggerUrl: string
    }[]
    const other = await Inspector.connect(target?.webSocketDebuggerUrl ?? '')
    const args = ['--pid', String(child.pid), '--port', port, '--quick', '--json']
    expect((await runHere(profileExample, ...args)).code).toBe(0)
    expect(await other.evaluate('40 + 2')).toBe(42)
    other.detach()
    expect((await fetch(`http://127.0.0.1:${port}/json/list`)).ok).toBe(true)
  })

  it('that two of us debug is closed by the last one', async () => {
    await using target = await startTarget({ 'target.mjs': '' })
    const first = await attach(target.pid)
    const port = Number(new URL(first.url).port)
    const second = await attach(target.pid, port)
    await first[Symbol.asyncDispose]()
    expect(await second.evaluate('40 + 2')).toBe(42)
    await second[Symbol.asyncDispose]()
    expect(await isClosed('127.0.0.1', port)).toBe(true)
  })

  it('is left as it was when its port is another one', async () => {
    await using target = await startTarget({ 'target.mjs': '' })
    const before = await listeningPorts(target.pid)
    await expect(attach(target.pid, await freePort())).rejects.toThrow(
      /accepts the port of the inspector of process \d+, which is \d+$/,
    )
    expect(await listeningPorts(target.pid)).toEqual(before)
    expect(await attach(target.pid).then((inspector) => inspector[Symbol.asyncDispose]())).toBe(undefined)
  })

  it('is opened for an editor on loopback, or it is said that its port is in use', async () => {
    const { port } = await inspected()
    for (const [wanted, opened] of [
      ['0', true],
      [port, false],
    ] as const) {
      const child = spawn(process.execPath, [`--inspect-port=127.0.0.1:${wanted}`, '-e', `${busy}; console.log('up')`])
      started.push(child)
      const lines: string[] = []
      createInterface(child.stderr).on('line', (line) => lines.push(line))
      await once(child.stdout, 'data')
      const opening = openForEditor({ pid: child.pid ?? 0 }, lines, new AbortController().signal)
      if (opened) await opening
      else await expect(opening).rejects.toThrow(/Starting inspector on 127\.0\.0\.1:\d+ failed/)
      expect(lines.some((line) => /listening on ws:\/\/127\.0\.0\.1:/.test(line))).toBe(opened)
    }
  })

  it('is specified by options that are validated', async () => {
    await expect(profileExample.run({ process: 'front' } as object)).rejects.toThrow(/--process: received "front"/)
    await expect(debugExample.run({ pause: '-1' } as object)).rejects.toThrow(/--pause: received "-1"/)
  })
})
