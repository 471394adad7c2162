/** The comparison of all queues in TypeScript, with a killed worker of each. */
import { installRedis } from '@repo/common/servers/redis'
import { runExample } from '@repo/common/testing/testing'
import { describeReal } from '@repo/common/testing/vitest'
import { expect, it } from 'vitest'
import { bench, compare, expectDrawn, expectMeasured, patient, redis } from '../fixtures/comparing.ts'

describeReal('the queues in TypeScript', { name: 'a Redis server', found: redis, install: installRedis }, () => {
  const names = ['bullmq', 'layer', 'pglite', 'rq', 'bee', 'remote']

  it('do the same tasks; killed in mid-task each queue runs it again, and a call fails', patient, async () => {
    const { contenders, ratios, chain, missing, picture } = await compare(['--only', names.join(), '--limit', '60'])
    expectMeasured(contenders, names)
    for (const { name, killed } of contenders) {
      if (name === 'remote') {
        expect(killed).toMatchObject({ outcome: 'error', begun: 1, message: expect.stringMatching(/is gone/) })
      } else expect({ name, ...killed }).toMatchObject({ name, outcome: 'result', begun: 2 })
    }
    expect(chain).toEqual({ result: 5, answers: 1 })
    expect(missing).toEqual([])
    expect(ratios).toEqual({})
    await expectDrawn(picture, contenders)
  })

  it('leave nothing after Ctrl-C while their workers start', patient, async () => {
    const run = await runExample(bench, 'compare', ['--only', 'bullmq,rq,bee'], { interruptWhen: /small tasks and/ })
    expect(run).toMatchObject({ code: 130 })
    expect(await run.leftBehind()).toEqual([])
  })
})
