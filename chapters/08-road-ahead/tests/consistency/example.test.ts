/** consistency, as a reader runs it. */
import { writeFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { temporaryFolder } from '@repo/common/process/temporary'
import { runHere } from '@repo/common/testing/run-here'
import { runExample } from '@repo/common/testing/testing'
import { leavesNothingRunning } from '@repo/common/testing/vitest'
import { describe, expect, it } from 'vitest'
import consistency from '../../examples/consistency.ts'
import linear from '../../examples/linear.ts'

const chapter = fileURLToPath(new URL('../..', import.meta.url))

describe('consistency', () => {
  leavesNothingRunning()

  it('finds what our Raft does wrong with a mistake, and saves the history for linear', async () => {
    await using folder = await temporaryFolder()
    const file = `${folder.path}/history.jsonl`
    const args = ['--json', '--quick', '--systems', 'raft-reads-alone', '--save', file]
    const run = await runExample(chapter, 'consistency', args)
    expect(run.stderr).not.toContain('error')
    expect(run.code).toBe(0)
    const result = run.json<{
      systems: { verdict: string; part: { key: string }[]; answered: number; unanswered: number; lost: number }[]
    }>()
    expect(result.systems).toHaveLength(1)
    const [row] = result.systems
    expect(row?.answered).toBeGreaterThan(100)
    expect(row?.lost).toBe(0)

    const judged = await runHere(linear, '--json', file)
    expect(judged.code).toBe(0)
    const again = judged.json<{ verdict: string; operations: number; part: { key: string }[] }>()
    expect(again.verdict).toBe(row?.verdict)
    expect(again.operations).toBe((row?.answered ?? 0) + (row?.unanswered ?? 0))
  })

  it('ends at Ctrl-C, and leaves nothing', async () => {
    const run = await runExample(chapter, 'consistency', ['--systems', 'raft'], { interruptWhen: /9 faults/ })
    expect(run.code).toBe(130)
    expect(await run.leftBehind()).toEqual([])
  })

  it('has a row for a system that is missing, and one for the next', async () => {
    const none = { PATH: '/nowhere', REDIS_SERVER: undefined, REDISMS_DOWNLOAD_DIR: '/nowhere' }
    const args = ['--json', '--systems', 'redis,raft', '--faults', '0']
    const run = await runExample(chapter, 'consistency', args, { env: none })
    expect(run.json()).toMatchObject({
      systems: [
        { system: 'redis', why: expect.stringMatching(/^needs Redis: /) },
        { system: 'raft', verdict: 'linearizable' },
      ],
    })
    expect(run.code).toBe(0)
  })

  it.each([
    [['--systems', 'mysql'], '--systems: received "mysql"; accepts a list of raft'],
    [['--faults', '-1'], '--faults: received "-1"; accepts a whole number'],
    [['--save', 'x'], '--save: received'],
    [['--systems', 'raft', '--save', '/nowhere/x'], 'accepts a file that can be written: ENOENT'],
  ])('refuses %j', async (args, message) => {
    const { code, stderr } = await runHere(consistency, ...args)
    expect(code).toBe(2)
    expect(stderr).toContain(message)
    expect(stderr.trim().split('\n')).toHaveLength(1)
  })

  it('knows --help', async () => {
    const { code, stdout } = await runHere(consistency, '--help')
    expect(code).toBe(0)
    expect(stdout).toContain('--systems')
  })
})

describe('linear', () => {
  it('finds broken histories and no others', async () => {
    const { code, json } = await runHere(linear, '--json', '--quick')
    expect(code).toBe(0)
    const result = json<{
      honest: Record<string, number>
      changed: Record<string, number>
      part: object[]
      large: { verdict: string }
    }>()
    expect(result.honest).toEqual({ linearizable: 333, 'not linearizable': 0, unknown: 0 })
    expect(result.changed['not linearizable']).toBeGreaterThan(50)
    expect(result.part.length).toBeGreaterThan(1)
    expect(result.large.verdict).toBe('linearizable')
  })

  it('calls unknown what its budget does not decide', async () => {
    const { json } = await runHere(linear, '--json', '--histories', '50', '--clients', '20', '--budget', '10')
    const result = json<{ honest: Record<string, number>; changed: Record<string, number> }>()
    expect(result.honest['not linearizable']).toBe(0)
    expect(result.honest.unknown).toBeGreaterThan(0)
  })

  it('refuses a file that is none, with its line', async () => {
    const file = fileURLToPath(import.meta.url)
    const damaged = await runHere(linear, file)
    expect(damaged.code).toBe(2)
    expect(damaged.stderr).toContain('line 1: received "/** consistency')
    expect(damaged.stderr.trim().split('\n')).toHaveLength(1)
    const missing = await runHere(linear, '/nowhere/history.jsonl')
    expect(missing.code).toBe(2)
    expect(missing.stderr).toContain('ENOENT')
  })

  it('refuses a file without operations, which a full disk leaves', async () => {
    await using folder = await temporaryFolder()
    const file = `${folder.path}/history.jsonl`
    await writeFile(file, '')
    expect(await runHere(linear, file)).toMatchObject({
      code: 2,
      stdout: '',
      stderr: expect.stringContaining('it has no operation'),
    })
  })

  it('notices Ctrl-C between two histories that take long', async () => {
    const interrupted = new AbortController()
    setTimeout(() => interrupted.abort(new Error('Ctrl-C')))
    const many = { histories: 99, operations: 99, clients: 50 }
    await expect(linear.run(many, [], interrupted.signal)).rejects.toThrow('Ctrl-C')
  })

  it('refuses two files', async () => {
    const { code, stderr } = await runHere(linear, 'a', 'b')
    expect(code).toBe(2)
    expect(stderr).toContain('FILE: received "a b"; accepts one at most')
  })
})
