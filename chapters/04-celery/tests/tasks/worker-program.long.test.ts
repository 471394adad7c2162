/** The worker as a program, explained and ended by SIGTERM; worker-program.test.ts ends it by Ctrl-C. */
import { runProgram } from '@repo/common/testing/testing'
import { expect, it } from 'vitest'
import { describeRedis, useLayer } from '../fixtures/layer.ts'
import { chapter, expectCleanEnd, workerProgram } from '../fixtures/worker-program.ts'

const layer = useLayer()

describeRedis('the worker program', () => {
  it('explains itself', async () => {
    const { code, stdout } = await runProgram(workerProgram, ['--help'], { cwd: chapter })
    expect(code).toBe(0)
    for (const option of ['--queues', '--concurrency', '--autoscale', '--name', '--grace'])
      expect(stdout).toContain(option)
  })

  it('ends cleanly with SIGTERM: running tasks are finished', () => expectCleanEnd(layer, 'SIGTERM'))
})
