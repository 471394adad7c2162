/** The comparison of all queues in TypeScript, with a killed worker of each. */
import { installRedis } from '@repo/common/servers/redis'
import { runExample } from '@repo/common/testing/testing'
import { describeReal } from '@repo/common/testing/vitest'
import { expect, it } from 'vitest'
import { bench, compare, expectDrawn, expectMeasured, patient, redis, runAgain } from '../fixtures/comparing.ts'

describeReal('the queues in TypeScript', { name: 'a Redis server', found: redis, install: installRedis }, () => {
  const names = ['bullmq', 'layer', 'pglite', 'rq', 'bee', 'remote']

  it('do the same tasks; killed in mid-task each queue runs it again, and a call fails', patient, async () => {
    const { contenders, ratios, chain, missing, picture } = await compare(['--only', names.join(), '--limit', '240'])
    expectMeasured(contenders, names)
    for (const { name, killed } of contenders) {
      if (name === 'remote') {
        expect(killed).toMatchObject({ outcome: 'error', begun: 1, message: expect.stringMatching(/is gone/) })
      } else expect({ name, ...killed }).toMatchObject({ name, ...runAgain })
    }
    expect(chain).toEqual({ result: 5, answers: 1 })
    expect(missing).toEqual([])
    expect(ratios).toEqual({})
    await expectDrawn(picture, contenders)
  })

  it.each([
    ['while their workers start', 'bullmq,rq,bee', /small tasks and/],
    ['in the middle of the measurements', 'rq', /small tasks .* %/],
  ])('leave nothing after Ctrl-C %s', patient, async (_when, only, interruptWhen) => {
    const run = await runExample(bench, 'compare', ['--only', only], { interruptWhen })
    expect(run).toMatchObject({ code: 130 })
    expect(await run.leftBehind()).toEqual([])
  })
})
