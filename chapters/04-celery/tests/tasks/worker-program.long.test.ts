/** The worker as a program, explained and ended by SIGTERM; worker-program.test.ts ends it by Ctrl-C. */
import { runProgram } from '@repo/common/testing/testing'
import { expect, it } from 'vitest'
import { nap } from '../../src/tasks/tour.ts'
import { describeRedis, useLayer } from '../fixtures/layer.ts'

const chapter = new URL('../..', import.meta.url).pathname
const layer = useLayer()

describeRedis('the worker program', () => {
  const file = 'src/tasks/worker.program.ts'

  it('explains itself', async () => {
    const { code, stdout } = await runProgram(file, ['--help'], { cwd: chapter })
    expect(code).toBe(0)
    for (const option of ['--queues', '--concurrency', '--autoscale', '--name', '--grace'])
      expect(stdout).toContain(option)
  })

  it('ends cleanly with SIGTERM: running tasks are finished', async () => {
    const client = await layer.openClient()
    const result = await client.send(nap, { ms: 700 })
    const { code, stderr, leftBehind } = await runProgram(file, ['--prefix', layer.prefix], {
      cwd: chapter,
      env: { REDIS_URL: layer.redis.url },
      interruptWhen: /is ready/,
      interruptWith: 'SIGTERM',
    })
    expect(code).toBe(0)
    expect(stderr).toContain('SIGTERM: taking no more tasks')
    expect(stderr).toContain('has ended')
    // It had begun by then, or was never taken: in neither case is it lost.
    expect(['succeeded', 'waiting']).toContain(await result.state())
    expect(await leftBehind()).toEqual([])
  })
})
