/** The examples that are runs, on the practice cluster, as a reader runs them: each by one scheduler. */
import { readFile } from 'node:fs/promises'
import { runExample } from '@repo/common/testing/testing'
import { decode } from 'fast-png'
import { describe, expect, it } from 'vitest'
import array from '../../examples/array.ts'
import {
  arrayComputesTheSame,
  chapter,
  checkpointHasSeveralLives,
  documentOf,
  failuresAreExplained,
  isCost,
  isSubmittedAndPolledWithOneCommandEach,
  patience,
} from '../fixtures/on-each-scheduler.ts'

describe('array', () => {
  it('computes the same as this machine', () => arrayComputesTheSame('slurm'))

  it('draws the Mandelbrot set', async () => {
    const { picture } = await array.run({ job: 'mandelbrot', tasks: 3 })
    const { width, height, data, channels } = decode(await readFile(picture))
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
    await expect(array.run({ tasks: 1, node: 'no-such-node' })).rejects.toThrow(
      /1 of 1 tasks failed 3 times; task 0: failed .*no-such-node: .*not found/,
    )
  })
})

describe.concurrent('runs', { timeout: patience.timeoutMs }, () => {
  it('failures are found and explained, and run again with --retry, and nothing else is', async () => {
    const document = await failuresAreExplained('--scheduler', 'pbs', '--retry')
    expect(document).toMatchObject({ scheduler: 'pbs', tasks: 100, completed: 100, resubmitted: 4, submitCommands: 2 })
    expect(document).toMatchObject({ primes: 78_498 })
  })

  it('checkpoint comes to the same result in several lives', () => checkpointHasSeveralLives('slurm'))

  it('ranks add up their vectors', async () => {
    const document = await documentOf('ranks', '--ranks', '4', '--length', '10000', '--laps', '50')
    expect(document).toMatchObject({ scheduler: 'slurm', ranks: 4, sum: 49_950_000, ours: {} })
    const cost = { bestSerialMs: expect.any(Number), cost: expect.toSatisfy(isCost) }
    expect(document).toMatchObject({ ...cost, jobs: [{ steps: 1, ms: expect.any(Number), ...cost }] })
  })

  it('thirty tasks are submitted with one command and polled with one each time', () =>
    isSubmittedAndPolledWithOneCommandEach(30))
})
