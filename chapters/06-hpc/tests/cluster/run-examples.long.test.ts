/** The examples that are runs, by other schedulers, and at full size. */
import { describe, expect, it } from 'vitest'
import {
  arrayComputesTheSame,
  checkpointHasSeveralLives,
  documentOf,
  failuresAreExplained,
  isSubmittedAndPolledWithOneCommandEach,
  patience,
} from '../fixtures/on-each-scheduler.ts'

describe('by another scheduler', { timeout: patience.timeoutMs }, () => {
  it('array computes the same as this machine', () => arrayComputesTheSame('htcondor'))

  it('failures are explained, and left alone without --retry', async () => {
    const document = await failuresAreExplained<{ primes: number }>('--scheduler', 'slurm')
    expect(document).toMatchObject({ completed: 96, resubmitted: 0, submitCommands: 1 })
    expect(document.primes).toBeLessThan(78_498)
  })

  it('checkpoint comes to the same result in several lives', () => checkpointHasSeveralLives('htcondor'))

  it('ranks add up their vectors', async () => {
    const document = await documentOf('ranks', '--scheduler', 'pbs', '--ranks', '4', '--length', '10000')
    expect(document).toMatchObject({ scheduler: 'pbs', ranks: 4, sum: 49_950_000, ours: {} })
  })
})

describe('a run of a thousand tasks', () => {
  it('is submitted with one command and polled with one each time', () => isSubmittedAndPolledWithOneCommandEach(1_000))
})
