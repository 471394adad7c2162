/**
 * Fault injection: the real processes, struck by every fault of `chaos`. It is slow, and catches what only faults can
 * cause.
 */
import { findRedisServer, installRedis } from '@repo/common/servers/redis'
import { describeReal } from '@repo/common/testing/vitest'
import { expect, it } from 'vitest'
import { type Struck, startChaos } from '../../src/chaos/chaos.ts'
import { faultsOf, kindNames } from '../../src/chaos/faults.ts'
import { check } from '../../src/pipeline/invariants.ts'
import { bug } from './planted.ts'

const need = { name: 'a Redis server', found: await findRedisServer(), install: installRedis }

describeReal('the pipeline under fire', need, () => {
  it('keeps its promises', async () => {
    // A new seed in every run, because any seed must pass. A failure's message names it.
    const seed = Math.floor(Math.random() * 2 ** 31)
    const settings = {
      seed,
      orders: 100,
      kinds: kindNames,
      lockMs: 500,
      rate: 150,
      bug,
      workers: { payment: 1, shipping: 2 },
    }
    await using chaos = await startChaos(settings, { signal: new AbortController().signal })
    const struck: Struck[] = []
    for (const fault of faultsOf(settings)) struck.push(await chaos.strike(fault))
    const outcome = await chaos.settle()
    expect(check(outcome), `seed ${seed}`).toEqual([])
    expect(outcome.endedMs.size).toBe(settings.orders)
    expect(struck.map(({ atMs: _, held: __, ...fault }) => fault)).toEqual(faultsOf(settings))
    // Faults that disturb nothing would prove nothing.
    expect(outcome.repeated).toBeGreaterThan(0)
    for (const { kind, held, target } of struck)
      if (kind === 'kill') expect(held, `${target}, seed ${seed}`).toBeGreaterThan(0)
  }, 240_000)
})
