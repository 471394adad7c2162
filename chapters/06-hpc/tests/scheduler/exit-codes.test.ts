/** What a job's exit-code file decides, and how the files of many jobs are read. */
import { execFile } from 'node:child_process'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { temporaryFolder } from '@repo/common/process/temporary'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { keyOf, readExitCodes, settle, withExitCodes } from '../../src/scheduler/exit-codes.ts'
import type { JobStatus, SubmittedJob } from '../../src/scheduler/job.ts'

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

  it('is that of its row where that has an exit code or a signal, whatever the file says', () => {
    const file: [string, number][] = [['/f/job.exit', 7]]
    expect(settleOne([{ id: '1', state: 'failed', exitCode: 128 }], file)).toEqual({
      id: '1',
      state: 'failed',
      exitCode: 128,
    })
    const killed = { id: '1', state: 'failed', exitCode: 129, signal: '1' }
    expect(settleOne([{ id: '1', state: 'failed', exitCode: 129 }], file)).toEqual(killed)
    // What sacct makes of 137.
    const cut: JobStatus = { id: '1', state: 'failed', exitCode: 9 }
    expect(settleOne([cut], [['/f/job.exit', 137]])).toEqual({ ...cut, exitCode: 137, signal: '9' })
    expect(settleOne([cut], [['/f/job.exit', 0]])).toEqual(cut)
    const signal = { id: '1', state: 'failed', signal: '9' } as const
    expect(settleOne([signal], file)).toEqual(signal)
    // A row with neither: the file decides, and until it is there, the row.
    for (const state of ['failed', 'completed'] as const) {
      expect(settleOne([{ id: '1', state }], file)).toEqual({
        id: '1',
        state: 'failed',
        exitCode: 7,
        signal: undefined,
      })
      expect(settleOne([{ id: '1', state }])).toEqual({ id: '1', state })
    }
  })

  it('says what the scheduler said, and for how long to wait', () => {
    const missing = new Map<string, number>()
    const unclear: JobStatus[] = [{ id: '1', state: 'unknown' }]
    expect(settleOne([], [], missing)?.reason).toBe('Slurm does not list it, and it has left no exit code yet')
    expect(settleOne(unclear, [], missing, 999)?.reason).toBe(
      'Slurm does not say how it ended, and it has left no exit code yet',
    )
    expect(settleOne(unclear, [], missing, 1000)?.reason).toBe(
      'Slurm does not say how it ended, and it has left no exit code',
    )
    const gone: JobStatus[] = [{ id: '1', state: 'running', otherwise: 'failed' }]
    expect(settleOne(gone, [], new Map([['1/', -1000]]))).toEqual({
      id: '1',
      state: 'failed',
      reason: 'running, and Slurm no longer has it in its queue',
    })
    expect(settleOne(gone, [], new Map([['1/', -999]]))).toEqual({ id: '1', state: 'running' })
  })

  it('is that of its whole array while only accounting has it, but not for ever', () => {
    const listed: JobStatus[] = [{ id: '2', state: 'queued', reason: 'PENDING', otherwise: 'failed' }]
    const missing = new Map<string, number>()
    const settled = (now: number) => settle([array], listed, new Map(), missing, { ...options, now })[1]
    expect(settled(0)).toEqual({ id: '2', task: 1, state: 'queued', reason: 'PENDING' })
    const reason = 'PENDING, and Slurm no longer has it in its queue'
    expect(settled(1000)).toEqual({ id: '2', task: 1, state: 'failed', reason })
  })

  it('is not that of its whole array once that has ended', () => {
    const [first] = settle([array], [{ id: '2', state: 'completed' }], new Map(), new Map(), options)
    expect(first).toMatchObject({ id: '2', task: 0, state: 'unknown' })
    const listed: JobStatus[] = [{ id: '2', state: 'unknown', unread: 'what' }]
    expect(settle([array], listed, new Map(), new Map(), options)[1]).toEqual({
      id: '2',
      task: 1,
      state: 'unknown',
      reason: 'Slurm says: what',
    })
  })

  it('is cancelled at once when it is missing and this client has cancelled it, unless it has ended before', () => {
    const cancelled = new Set([keyOf('2', 1)])
    const states = (listed: JobStatus[], codes: [string, number][] = []) =>
      settle([array], listed, new Map(codes), new Map(), { ...options, cancelled }).map(({ state }) => state)
    expect(states([{ id: '2', task: 0, state: 'queued' }])).toEqual(['queued', 'cancelled'])
    expect(states([])).toEqual(['unknown', 'cancelled'])
    expect(states([{ id: '2', task: 1, state: 'queued', otherwise: 'failed' }])).toEqual(['unknown', 'cancelled'])
    // Over REST, accounting has the waiting tasks of an array in one record, and goes on calling that PENDING.
    expect(states([{ id: '2', state: 'queued', otherwise: 'failed' }])).toEqual(['queued', 'cancelled'])
    // It is being killed, or had ended when the scheduler heard of it.
    expect(states([{ id: '2', task: 1, state: 'running' }])).toEqual(['unknown', 'running'])
    expect(states([], [['/f/all.1.exit', 0]])).toEqual(['unknown', 'completed'])
  })

  it('gets the full grace period again after it was back in the queue, or had its exit code', () => {
    const missing = new Map<string, number>()
    settleOne([], [], missing, 0)
    settleOne([{ id: '1', state: 'running' }], [], missing, 900)
    expect(settleOne([], [], missing, 1500)).toMatchObject({ state: 'unknown' })
    // The same after its exit code was there, in a file that somebody then removed.
    settleOne([], [['/f/job.exit', 0]], missing, 2000)
    expect(settleOne([], [], missing, 2900)).toMatchObject({ state: 'unknown' })
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
    const half = stdout.slice(0, stdout.lastIndexOf('--mark'))
    expect(() => readExitCodes(half, ['squeue'], jobs, '--mark')).toThrow('expected an answer to its end')
    expect(program).toBe('sh')
    const [, script = ''] = args
    // The command that failed is in the answer; what fails after it does not matter.
    expect(script.endsWith('; true')).toBe(true)
  })

  it('count however their lines end, if a command can end with them; the answer may lack its last line break', () => {
    const files = ['a.exit:0\r', 'b.exit: 1', 'c.exit:255 ', 'd.exit:256', 'e.exit:-1', 'f.exit:1 2', 'g.exit:0x1']
    const stdout = `listed--mark 0\n--mark 0\n${files.map((file) => `./${file}\n`).join('')}`
    const { answer, code, exitCodes } = readExitCodes(stdout, ['squeue'], [single], '--mark')
    expect({ answer, code, exitCodes: [...exitCodes] }).toEqual({
      answer: 'listed\n',
      code: 0,
      exitCodes: [
        ['/f/a.exit', 0],
        ['/f/b.exit', 1],
        ['/f/c.exit', 255],
      ],
    })
  })

  it('are not found in the name of another file', async () => {
    await using folder = await temporaryFolder()
    await writeFile(join(folder.path, 'x\u2028.\u2028.exit'), '0\n')
    await writeFile(join(folder.path, 'y\u2028job.exit'), '0\n')
    const jobs = [{ ...single, folder: folder.path }]
    const [program, ...args] = withExitCodes(['true'], jobs, '--mark')
    const { stdout } = await promisify(execFile)(program, args)
    const { answer, exitCodes } = readExitCodes(stdout, ['squeue'], jobs, '--mark')
    expect(answer.trim()).toBe('')
    expect(exitCodes.get(join(folder.path, 'job.exit'))).toBeUndefined()
    expect(exitCodes.get(join(folder.path, 'y\u2028job.exit'))).toBe(0)
  })
})
