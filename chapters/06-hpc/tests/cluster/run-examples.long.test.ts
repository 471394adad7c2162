/** The examples that are runs, by other schedulers, and at full size. */
import { readFile } from 'node:fs/promises'
import { runHere } from '@repo/common/testing/run-here'
import { decode } from 'fast-png'
import { describe, expect, it } from 'vitest'
import array from '../../examples/array.ts'
import {
  arrayComputesTheSame,
  checkpointHasSeveralLives,
  documentOf,
  failuresAreExplained,
  isSubmittedAndPolledWithOneCommandEach,
  patience,
} from '../fixtures/on-each-scheduler.ts'

describe('by another scheduler', { timeout: patience.timeoutMs }, () => {
  it.each(['slurm', 'htcondor'])('array computes the same as this machine: %s', arrayComputesTheSame)

  it('failures are explained, and left alone without --retry', async () => {
    const document = await failuresAreExplained<{ primes: number }>('--scheduler', 'slurm')
    expect(document).toMatchObject({ completed: 96, resubmitted: 0, submitCommands: 1 })
    expect(document.primes).toBeLessThan(78_498)
  })

  it('failures are found and explained, and run again with --retry, and nothing else is', async () => {
    const document = await failuresAreExplained('--scheduler', 'pbs', '--retry')
    expect(document).toMatchObject({ scheduler: 'pbs', tasks: 100, completed: 100, resubmitted: 4, submitCommands: 2 })
    expect(document).toMatchObject({ primes: 78_498 })
  })

  it.each(['slurm', 'htcondor'])(
    'checkpoint comes to the same result in several lives by %s',
    checkpointHasSeveralLives,
  )

  it('ranks add up their vectors', async () => {
    const document = await documentOf('ranks', '--scheduler', 'pbs', '--ranks', '4', '--length', '10000')
    expect(document).toMatchObject({ scheduler: 'pbs', ranks: 4, sum: 49_950_000, ours: {} })
  })
})

it('array draws the Mandelbrot set', async () => {
  const run = await runHere(array, '--quick', '--json', '--job', 'mandelbrot', '--tasks', '3')
  const { picture } = run.json<{ picture: string }>()
  const { width, height, data, channels } = decode(await readFile(picture))
  expect([width, height]).toEqual([1200, 800])
  const at = (x: number, y: number) =>
    Array.from(data.subarray((y * width + x) * channels, (y * width + x) * channels + 3))
  // Zero never escapes; a corner escapes at once.
  expect(at(600, 400)).toEqual([0, 0, 0])
  expect(at(0, 0)).not.toEqual([0, 0, 0])
})

describe('a run of a thousand tasks', { timeout: patience.timeoutMs }, () => {
  it('is submitted with one command and polled with one each time', () => isSubmittedAndPolledWithOneCommandEach(1_000))
})
