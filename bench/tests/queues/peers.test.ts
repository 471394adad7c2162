/** A comparison with RQ for Python; with Celery, each of their generations and Pyro in the long tests. */
import { describeReal } from '@repo/common/testing/vitest'
import { findPython, installPython } from '04-celery/celery/python'
import { expect, it } from 'vitest'
import { compare, expectMeasured, patient, redis } from '../fixtures/comparing.ts'

const rq = await findPython('rq')

describeReal('RQ', { name: 'RQ for Python', found: redis && rq, install: installPython.rq }, () => {
  it('does the same tasks beside ours', patient, async () => {
    const args = ['--only', 'rq,rq-python', '--tasks', '100', '--naps', '10']
    const { contenders, ratios } = await compare(args, { PEERS_PYTHON: rq?.command })
    expectMeasured(contenders, ['rq', 'rq-python'])
    const [ours, theirs] = contenders
    expect(ratios.rqToRq).toBeCloseTo((ours?.perSecond ?? 0) / (theirs?.perSecond ?? 0), 6)
    expect(theirs?.label).toBe(`RQ ${rq?.version}`)
  })
})
