/** Calls per second, of remote objects and of Pyro. */
import { fileURLToPath } from 'node:url'
import type { Cost } from '@repo/common/cost'
import { runHere } from '@repo/common/testing/run-here'
import { runExample } from '@repo/common/testing/testing'
import { describeReal } from '@repo/common/testing/vitest'
import { readRate } from '@repo/common/workloads/rates'
import { findPython, installPython } from '04-celery/celery/python'
import { describe, expect, it } from 'vitest'
import example from '../../examples/remote-calls.ts'
import { startPyro } from '../../src/remote/pyro.ts'

const bench = fileURLToPath(new URL('../..', import.meta.url))
const pythons = { Pyro5: await findPython('Pyro5'), Pyro4: await findPython('Pyro4') }

describe('remote-calls', () => {
  it('counts calls in both ways, beside Pyro where there is one, and leaves nothing behind', async () => {
    const run = await runExample(bench, 'remote-calls', ['--quick', '--json'])
    expect(run, run.stderr).toMatchObject({ code: 0 })
    const { perSecond, ...cost } = run.json<Cost & { perSecond: { sequential: number; concurrent: number } }>()
    expect(cost).toMatchObject({ bestSerialMs: expect.any(Number), cost: 'not up to 1' })
    expect(perSecond.sequential).toBeGreaterThan(0)
    expect(perSecond.concurrent).toBeGreaterThan(0)
    const versions = Object.values(pythons).flatMap((python) => python?.version ?? [])
    const pyro = versions.map((version) => ({ version, sequential: expect.any(Number), batch: expect.any(Number) }))
    expect(perSecond).toMatchObject({ pyro })
    expect(await run.leftBehind()).toEqual([])
  })

  it('refuses what it cannot do, in one line', async () => {
    const { code, stdout, stderr } = await runHere(example, '--calls', '1')
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' })
    expect(stderr).toBe('error: --calls: received "1"; accepts a whole number from 1000 to 1000000\n')
  })
})

for (const generation of ['Pyro4', 'Pyro5'] as const) {
  const python = pythons[generation]
  const name = `${generation.replace('Pyro', 'Pyro ')} for Python`
  describeReal(generation, { name, found: python, install: installPython[generation] }, () => {
    it('serves the same rate, and is gone afterwards', async () => {
      const server = await startPyro(generation)
      const measured = await server?.measure(1_000)
      expect(server?.version).toBe(python?.version)
      expect(server?.version).toMatch(generation === 'Pyro4' ? /^4\./ : /^5\./)
      expect(measured?.rate).toEqual(await readRate({ from: 'usd', to: 'eur' }))
      expect(measured?.sequentialPerSecond).toBeGreaterThan(0)
      expect(measured?.batchPerSecond).toBeGreaterThan(0)
      await server?.[Symbol.asyncDispose]()
      await expect(server?.measure(1_000)).rejects.toThrow()
    })
  })
}
