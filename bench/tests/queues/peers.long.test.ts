/** The comparison with those in Python, of both generations. */
import { describeReal } from '@repo/common/testing/vitest'
import { findPython, findPythons, installPeers, installPython, type Python } from '04-celery/celery/python'
import { describe, expect, it } from 'vitest'
import { compare, expectMeasured, patient, redis } from '../fixtures/comparing.ts'

const [celeries, rqs] = await Promise.all([findPythons('celery'), findPythons('rq')])
const pyro = await findPython('Pyro4')
const install = [installPython.celery, installPython.rq, installPython.Pyro4].join('; ')
const generations = [
  {
    title: "the system's Celery and RQ",
    install,
    isThis: ({ ofToday }: Python) => !ofToday,
    names: ['rq', 'celery', 'rq-python'],
  },
  {
    title: "today's Celery and RQ",
    install: installPeers,
    isThis: ({ ofToday }: Python) => ofToday,
    names: ['rq', 'celery', 'rq-python', 'rq-simple'],
  },
]
describe.concurrent('the Python ones', () => {
  for (const { title, install, isThis, names } of generations) {
    const [celery, rq] = [celeries.find(isThis), rqs.find(isThis)]
    describeReal(title, { name: title, found: redis && celery && rq, install }, () => {
      it('do the same tasks beside ours', patient, async () => {
        const args = ['--only', names.join(), '--limit', '1', '--tasks', '100']
        const { contenders, ratios } = await compare(args, { PEERS_PYTHON: celery?.command })
        expectMeasured(contenders, names)
        const killed = Object.fromEntries(contenders.map(({ name, killed }) => [name, killed]))
        for (const name of names.slice(2)) expect(killed[name]).toMatchObject({ outcome: 'nothing', begun: 1 })
        const of = (name: string) => contenders.find((row) => row.name === name)
        expect(ratios.rqToRq).toBeCloseTo((of('rq')?.perSecond ?? 0) / (of('rq-python')?.perSecond ?? 0), 6)
        const labels = [`Celery ${celery?.version}`, `RQ ${rq?.version}`, `RQ ${rq?.version}, SimpleWorker`]
        expect(contenders.slice(1).map(({ label }) => label)).toEqual(labels.slice(0, names.length - 1))
      })
    })
  }

  describeReal('Pyro', { name: 'Pyro for Python', found: redis && pyro, install: installPython.Pyro4 }, () => {
    it('does the same calls beside ours', patient, async () => {
      const names = ['remote', 'pyro']
      const { contenders, ratios } = await compare(['--only', names.join(), '--limit', '2'])
      expectMeasured(contenders, names)
      const [remote, python] = contenders
      expect(python).toMatchObject({ label: `Pyro ${pyro?.version}`, killed: { outcome: 'error', begun: 1 } })
      expect(python?.killed?.message).toMatch(/ConnectionClosedError/)
      const [ours = 0, theirs = 0] = [remote?.sequentialPerSecond, python?.sequentialPerSecond]
      expect(ratios.remoteToPyro).toBeCloseTo(ours / theirs, 6)
    })
  })
})
