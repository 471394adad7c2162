/** The examples that are runs, on the practice cluster, as a reader runs them. */
import { access, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { temporaryFolder } from '@repo/common/process/temporary'
import { runExample } from '@repo/common/testing/testing'
import { decode } from 'fast-png'
import { describe, expect, it } from 'vitest'
import { openCluster } from '../../src/cluster/cluster.ts'
import { createRun } from '../../src/cluster/run.ts'

const chapter = join(import.meta.dirname, '../..')
/** For long computations, on a machine that has other things to do. */
const patience = { timeoutMs: 240_000 }
const start = (example: string, ...args: string[]) => runExample(chapter, example, args, patience)
async function documentOf<T>(example: string, ...args: string[]): Promise<T> {
  const { code, stderr, json } = await start(example, '--quick', '--json', ...args)
  expect(code, stderr).toBe(0)
  return json<T>()
}

describe('array', () => {
  it.each(['slurm', 'htcondor'])('computes the same as this machine, by %s', async (scheduler) => {
    const document = await documentOf<{ picture: string; result: object; pollCommands: number }>(
      'array',
      '--scheduler',
      scheduler,
    )
    expect(document).toMatchObject({ scheduler, tasks: 8, completed: 8, failed: 0, resubmitted: 0, submitCommands: 1 })
    // The most similar addresses of chapter 3.
    const johnson = { name: 'Andrew Johnson' }
    expect(document.result).toMatchObject({
      pairs: 27_028,
      top: [{ a: { year: 1867, ...johnson }, b: { year: 1868, ...johnson } }, {}, {}, {}, {}],
    })
    expect(await readFile(document.picture, 'utf8')).toContain('<svg')
  })

  it('draws the Mandelbrot set', async () => {
    const document = await documentOf<{ picture: string }>('array', '--job', 'mandelbrot', '--tasks', '5')
    const { width, height, data, channels } = decode(await readFile(document.picture))
    expect([width, height]).toEqual([1200, 800])
    const at = (x: number, y: number) =>
      Array.from(data.subarray((y * width + x) * channels, (y * width + x) * channels + 3))
    // Zero never escapes; a corner escapes at once.
    expect(at(600, 400)).toEqual([0, 0, 0])
    expect(at(0, 0)).not.toEqual([0, 0, 0])
  })

  it('stops on Ctrl-C and leaves nothing behind', async () => {
    const run = await runExample(chapter, 'array', ['--tasks', '400'], {
      interruptWhen: /tasks on the practice cluster/,
    })
    expect(run.code).toBe(130)
    expect(await run.leftBehind()).toEqual([])
  })

  it('says what the task printed when it cannot run on the nodes', async () => {
    const run = await start('array', '--tasks', '1', '--node', 'no-such-node')
    expect(run.code).toBe(1)
    expect(run.stderr).toMatch(/1 of 1 tasks failed 3 times; task 0: failed .*no-such-node: .*not found/)
  })
})

// So long that no healthy task on a busy machine is ended by it; the one that hangs has to wait for it.
const walltime = ['--walltime', '6']

describe.concurrent('failures', { timeout: patience.timeoutMs }, () => {
  it.each(['pbs'])('are found and explained by %s, and left alone without --retry', async (scheduler) => {
    const document = await documentOf<{ failures: { task: number; why: string }[]; primes: number }>(
      'failures',
      '--scheduler',
      scheduler,
      ...walltime,
    )
    expect(document).toMatchObject({ scheduler, tasks: 100, completed: 96, resubmitted: 0, submitCommands: 1 })
    expect(document.failures.map(({ task }) => task)).toEqual([13, 42, 66, 77])
    expect(document.failures.map(({ why }) => why.split(':')[0])).toEqual([
      'it threw RangeError',
      'it exited with 2',
      'it was still running at the end of its walltime',
      'it was ended by SIGKILL',
    ])
    expect(document.primes).toBeLessThan(78_498)
  })

  it('are run again with --retry, and nothing else is', async () => {
    const document = await documentOf('failures', '--retry', ...walltime)
    expect(document).toMatchObject({ completed: 100, resubmitted: 4, submitCommands: 2, primes: 78_498 })
  })
})

describe.concurrent('checkpoint', { timeout: patience.timeoutMs }, () => {
  it.each(['slurm', 'htcondor'])('comes to the same result in several lives, by %s', async (scheduler) => {
    const document = await documentOf<{ lives: { from: number; to: number }[]; picture: string }>(
      'checkpoint',
      // No machine is fast enough to finish this in one life.
      '--scheduler',
      scheduler,
      '--below',
      '9000000',
      '--walltime',
      '5',
      '--warn',
      '3',
    )
    expect(document).toMatchObject({ scheduler, result: { number: 8_400_511, steps: 685 }, equal: true })
    expect(document.lives.length).toBeGreaterThan(1)
    for (const [at, life] of document.lives.entries()) expect(life.from).toBe(document.lives[at - 1]?.to ?? 1)
    await access(document.picture)
  })
})

describe('ranks', () => {
  it.each(['slurm', 'pbs'])('add up their vectors, by %s', async (scheduler) => {
    const document = await documentOf('ranks', '--scheduler', scheduler, '--ranks', '4', '--length', '10000')
    expect(document).toMatchObject({ scheduler, ranks: 4, sum: 49_950_000, ours: {} })
  })
})

describe('a run of a thousand tasks', () => {
  it('is submitted with one command and polled with one each time', async () => {
    await using folder = await temporaryFolder()
    await using cluster = await openCluster({ practice: { slots: 16 } })
    const array = Array.from({ length: 1_000 }, (_, task) => task)
    const run = await createRun(
      cluster,
      { name: 'many', command: ['true'], array },
      { folder: join(folder.path, 'run') },
    )
    await run.start()
    let polls = 0
    await run.follow({ onPoll: () => void polls++ })
    expect(run.tasks.every(({ state }) => state === 'completed')).toBe(true)
    expect(cluster.commands).toEqual({ submit: 1, poll: polls })
  })
})
