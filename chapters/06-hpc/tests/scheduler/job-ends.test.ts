/**
 * How a job ends: what its script does around the command, run by a real shell, and what its exit-code file decides.
 */
import { execFile, spawn } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { access, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { until } from '@repo/common/async/until'
import { temporaryFolder } from '@repo/common/process/temporary'
import { processesWith } from '@repo/common/testing/testing'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { readExitCodes, settle, withExitCodes } from '../../src/scheduler/exit-codes.ts'
import type { JobDescription, JobStatus, SubmittedJob } from '../../src/scheduler/job.ts'
import { jobScript } from '../../src/scheduler/script.ts'
import { hostileArgument } from '../hostile.ts'

const isThere = (path: string) =>
  access(path).then(
    () => true,
    () => false,
  )

async function start(job: Partial<JobDescription>, folder: string, environment: Record<string, string> = {}) {
  const text = jobScript({ name: 'job', command: ['true'], folder, ...job }, { header: ['#X'], taskId: '$NUMBER' })
  const file = join(folder, 'job.sh')
  await writeFile(file, text)
  return spawn('sh', [file], { cwd: '/', env: { ...process.env, ...environment }, stdio: 'ignore' })
}

describe.skipIf(process.platform === 'win32')("a job's script", () => {
  it('passes every argument and variable on unchanged, and leaves output and exit code in its folder', async () => {
    await using folder = await temporaryFolder()
    const print =
      'process.stdout.write(JSON.stringify([process.cwd(), process.env.A, ...process.argv.slice(1)])); process.exit(7)'
    await fc.assert(
      fc.asyncProperty(fc.array(hostileArgument, { maxLength: 4 }), hostileArgument, async (args, value) => {
        const script = await start(
          { command: [process.execPath, '-e', print, '--', ...args], environment: { A: value } },
          folder.path,
        )
        const [code] = await once(script, 'exit')
        const printed = await readFile(join(folder.path, 'job.out'), 'utf8')
        expect([code, await readFile(join(folder.path, 'job.exit'), 'utf8'), JSON.parse(printed)]).toEqual([
          7,
          '7\n',
          [folder.path, value, ...args],
        ])
      }),
      { numRuns: 12 },
    )
  })

  it('gives each task of an array its number and its own files', async () => {
    await using folder = await temporaryFolder()
    const script = await start({ command: ['sh', '-c', 'echo $TASK_ID; exit 3'], array: [4] }, folder.path, {
      NUMBER: '4',
    })
    await once(script, 'exit')
    expect(await readFile(join(folder.path, 'job.4.out'), 'utf8')).toBe('4\n')
    expect(await readFile(join(folder.path, 'job.4.exit'), 'utf8')).toBe('3\n')
  })

  it('forgets the exit code of an earlier run before it begins', async () => {
    await using folder = await temporaryFolder()
    const exit = join(folder.path, 'job.exit')
    await writeFile(exit, '0\n')
    const script = await start({ command: ['sh', '-c', 'test -e job.exit && echo "still there"; exit 5'] }, folder.path)
    await once(script, 'exit')
    expect(await readFile(join(folder.path, 'job.out'), 'utf8')).toBe('')
    expect(await readFile(exit, 'utf8')).toBe('5\n')
  })

  it('forwards SIGTERM to the command, and waits for it to finish', async () => {
    await using folder = await temporaryFolder()
    const command = ['sh', '-c', 'trap "echo saved; exit 42" TERM; echo begun; while :; do sleep 0.05; done']
    const script = await start({ command }, folder.path)
    await until(async () => (await readFile(join(folder.path, 'job.out'), 'utf8').catch(() => '')) === 'begun\n')
    script.kill('SIGTERM')
    const [code] = await once(script, 'exit')
    expect([code, await readFile(join(folder.path, 'job.out'), 'utf8')]).toEqual([42, 'begun\nsaved\n'])
  })

  it('warns the command before the end of its walltime, and leaves no timer behind', async () => {
    await using folder = await temporaryFolder()
    const warned = await start(
      {
        command: ['sh', '-c', 'trap "exit 9" TERM; while :; do sleep 0.05; done'],
        resources: { walltimeSeconds: 63 },
        warnSeconds: 60,
      },
      folder.path,
    )
    expect((await once(warned, 'exit'))[0]).toBe(9)
    const mark = randomUUID()
    const quick = await start({ resources: { walltimeSeconds: 3600 }, warnSeconds: 62 }, folder.path, { MARK: mark })
    expect((await once(quick, 'exit'))[0]).toBe(0)
    await until(async () => (await processesWith('MARK', mark)).length === 0)
  })

  it('does not run in another folder when its own has gone', async () => {
    await using folder = await temporaryFolder()
    const script = await start({ folder: join(folder.path, 'no'), command: ['touch', 'here'] }, folder.path)
    expect((await once(script, 'exit'))[0]).toBe(1)
    expect(await isThere('/here')).toBe(false)
  })
})

const single: SubmittedJob = { id: '1', name: 'job', folder: '/f' }
const array: SubmittedJob = { id: '2', name: 'all', folder: '/f', array: [0, 1] }
const options = { now: 0, patienceMs: 1000, scheduler: 'Slurm' }
const settleOne = (listed: JobStatus[], codes: [string, number][] = [], missing = new Map<string, number>(), now = 0) =>
  settle([single], listed, new Map(codes), missing, { ...options, now })[0]

describe('the state of a job', () => {
  it('is what the scheduler says while it is in the queue, whatever an old file says', () => {
    for (const state of [
      'queued',
      'held',
      'running',
      'cancelled',
      'timed out',
      'out of memory',
      'node failed',
    ] as const) {
      expect(settleOne([{ id: '1', state }], [['/f/job.exit', 0]])).toEqual({ id: '1', state })
    }
  })

  it('is decided by the exit-code file when it is missing from the queue', () => {
    expect(settleOne([], [['/f/job.exit', 0]])).toEqual({ id: '1', state: 'completed', exitCode: 0 })
    expect(settleOne([], [['/f/job.exit', 13]])).toEqual({ id: '1', state: 'failed', exitCode: 13 })
    expect(settleOne([], [['/f/job.exit', 137]])).toEqual({ id: '1', state: 'failed', exitCode: 137, signal: '9' })
    // Another job's, and another folder's.
    expect(
      settleOne(
        [],
        [
          ['/f/other.exit', 0],
          ['/g/job.exit', 0],
        ],
      )?.state,
    ).toBe('unknown')
  })

  it('is unknown for as long as a slow file system may take, and then failed, never completed', () => {
    const missing = new Map<string, number>()
    expect(settleOne([], [], missing, 5)).toMatchObject({ state: 'unknown' })
    expect(settleOne([], [], missing, 1004)).toMatchObject({ state: 'unknown' })
    expect(settleOne([], [], missing, 1005)).toMatchObject({
      state: 'failed',
      reason: 'Slurm does not list it, and it has left no exit code',
    })
    expect(settleOne([], [['/f/job.exit', 0]], missing, 1006)).toMatchObject({ state: 'completed' })
  })

  it('gets the full grace period again after it was back in the queue', () => {
    const missing = new Map<string, number>()
    settleOne([], [], missing, 0)
    settleOne([{ id: '1', state: 'running' }], [], missing, 900)
    expect(settleOne([], [], missing, 1500)).toMatchObject({ state: 'unknown' })
  })

  it('takes its exit code from the file where the scheduler knows the end but no code', () => {
    expect(settleOne([{ id: '1', state: 'unknown', node: 'n1' }], [['/f/job.exit', 2]])).toEqual({
      id: '1',
      state: 'failed',
      exitCode: 2,
      node: 'n1',
    })
  })

  it('is given once for each task, in order, even where the list does not tell tasks apart', () => {
    const statuses = settle(
      [array, single],
      [{ id: '2', state: 'running', node: 'n1' }],
      new Map([['/f/all.1.exit', 0]]),
      new Map(),
      options,
    )
    expect(statuses).toEqual([
      { id: '2', task: 0, state: 'running', node: 'n1' },
      { id: '2', task: 1, state: 'completed', exitCode: 0 },
      expect.objectContaining({ id: '1', state: 'unknown' }),
    ])
  })

  it('is consistent for any mixture: as many answers as tasks, and completed only with exit code 0', () => {
    const states = fc.constantFrom<JobStatus['state']>('queued', 'running', 'unknown', 'failed')
    const code = fc.option(fc.nat(255), { nil: undefined })
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.option(states), code), { minLength: 1, maxLength: 20 }), (tasks) => {
        const job = { ...array, array: tasks.map((_, task) => task) }
        const listed = tasks.flatMap(([state], task) => (state ? [{ id: '2', task, state }] : []))
        const codes = new Map(
          tasks.flatMap(([, exit], task) => (exit === undefined ? [] : [[`/f/all.${task}.exit`, exit] as const])),
        )
        const settled = settle([job], listed, codes, new Map(), options)
        expect(settled.map(({ task }) => task)).toEqual(job.array)
        for (const [task, { state }] of settled.entries()) if (state === 'completed') expect(tasks[task]?.[1]).toBe(0)
      }),
    )
  })
})

describe.skipIf(process.platform === 'win32')('exit codes in the answer to a poll', () => {
  it('come with it in one command, from folders of any name; an empty file does not count yet', async () => {
    await using folder = await temporaryFolder()
    const odd = { ...single, folder: folder.path }
    await writeFile(join(folder.path, 'job.exit'), '7\n')
    await writeFile(join(folder.path, 'empty.exit'), '')
    await writeFile(join(folder.path, 'job.exit.new'), '1')
    const jobs = [odd, { ...single, folder: join(folder.path, "no such 'folder'") }]
    const [program, ...args] = withExitCodes(['sh', '-c', 'echo listed; exit 3'], jobs, '--mark')
    const { stdout } = await promisify(execFile)(program, args)
    const read = readExitCodes(stdout, ['squeue'], jobs, '--mark')
    expect(read.answer).toBe('listed\n')
    expect(read.code).toBe(3)
    expect([...read.exitCodes]).toEqual([[join(folder.path, 'job.exit'), 7]])
    expect(() => readExitCodes(stdout.slice(0, 20), ['squeue'], jobs, '--mark')).toThrow('squeue printed')
  })
})
