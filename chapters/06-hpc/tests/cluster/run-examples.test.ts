/** The examples that are runs, on the practice cluster, as a reader runs them: each by one scheduler. */
import { join } from 'node:path'
import { temporaryFolder } from '@repo/common/process/temporary'
import { runExample } from '@repo/common/testing/testing'
import { describe, expect, it } from 'vitest'
import array from '../../examples/array.ts'
import { openCluster } from '../../src/cluster/cluster.ts'
import { createRun } from '../../src/cluster/run.ts'
import { chapter, documentOf, isCost, patience } from '../fixtures/on-each-scheduler.ts'

describe('array', () => {
  it('stops on Ctrl-C and leaves nothing behind', async () => {
    const run = await runExample(chapter, 'array', ['--tasks', '400'], {
      interruptWhen: /tasks on the practice cluster/,
    })
    expect(run.code).toBe(130)
    expect(await run.leftBehind()).toEqual([])
  })

  it('says what the task printed when it cannot run on the nodes', async () => {
    await expect(array.run({ tasks: 1, node: 'no-such-node' })).rejects.toThrow(
      /1 of 1 task failed 3 times; task 0: failed .*no-such-node: .*not found/,
    )
  })
})

describe.concurrent('runs', { timeout: patience.timeoutMs }, () => {
  it('ranks add up their vectors', async () => {
    const document = await documentOf('ranks', '--ranks', '4', '--length', '10000', '--laps', '50')
    expect(document).toMatchObject({ scheduler: 'slurm', ranks: 4, sum: 49_950_000, ours: {} })
    const cost = { bestSerialMs: expect.any(Number), cost: expect.toSatisfy(isCost) }
    expect(document).toMatchObject({ ...cost, jobs: [{ steps: 1, ms: expect.any(Number), ...cost }] })
  })

  it('only a task that has failed is run again; both jobs are submitted with one command, and polled with one each time', async () => {
    await using folder = await temporaryFolder()
    await using cluster = await openCluster({ practice: { slots: 8 } })
    const command = ['sh', '-c', '[ "$TASK_ID" != 7 ] || [ "$ATTEMPT" = 2 ]']
    const plan = { name: 'again', command, array: Array.from({ length: 9 }, (_, task) => task) }
    const run = await createRun(cluster, plan, { folder: join(folder.path, 'run') })
    await run.start()
    let polls = 0
    await run.complete({ attempts: 2, onPoll: () => void polls++ })
    expect(run.tasks.map(({ attempt, state }) => `${attempt} ${state}`)).toEqual(
      plan.array.map((task) => `${task === 7 ? 2 : 1} completed`),
    )
    expect(cluster.commands).toEqual({ submit: 2, poll: polls })
  })
})
