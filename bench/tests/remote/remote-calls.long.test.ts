/** Calls per second, of remote objects and of Pyro. */
import { fileURLToPath } from 'node:url'
import type { Cost } from '@repo/common/cost'
import { runHere } from '@repo/common/testing/run-here'
import { runExample } from '@repo/common/testing/testing'
import { findPython } from '04-celery/celery/python'
import { describe, expect, it } from 'vitest'
import example from '../../examples/remote-calls.ts'

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
