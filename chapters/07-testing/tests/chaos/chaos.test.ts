/** Chaos: the same seed strikes the same way, and nothing is left of it. What it reports: bugs.long.test.ts. */
import { createServer } from 'node:net'
import { fileURLToPath } from 'node:url'
import { findRedisServer, installRedis } from '@repo/common/servers/redis'
import { runHere } from '@repo/common/testing/run-here'
import { runExample } from '@repo/common/testing/testing'
import { describeReal } from '@repo/common/testing/vitest'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import chaos from '../../examples/chaos.ts'
import { faultsOf, kindNames as kinds } from '../../src/chaos/faults.ts'
import { ordersOf, plenty, stockFor } from '../../src/pipeline/load.ts'
import { bugNames } from '../../src/pipeline/orders.ts'
import { startPipeline } from '../../src/pipeline/pipeline.ts'

const chapter = fileURLToPath(new URL('../..', import.meta.url))
const need = { name: 'a Redis server', found: await findRedisServer(), install: installRedis }
const workers = { payment: 2, shipping: 2 }

describe('the schedule of faults', () => {
  const settings = fc.record({
    seed: fc.nat(),
    orders: fc.integer({ min: 50, max: 10_000 }),
    lockMs: fc.integer({ min: 200, max: 5_000 }),
    kinds: fc.subarray([...kinds], { minLength: 1 }),
    workers: fc.record({ payment: fc.integer({ min: 1, max: 4 }), shipping: fc.integer({ min: 1, max: 4 }) }),
  })

  it('follows from the seed byte for byte, in order, and leaves no worker alone', () => {
    fc.assert(
      fc.property(settings, (given) => {
        const faults = faultsOf(given)
        expect(JSON.stringify(faultsOf({ ...given, kinds: given.kinds.toReversed() }))).toBe(JSON.stringify(faults))
        expect(faults.map(({ atOrder }) => atOrder)).toEqual(
          faults.map(({ atOrder }) => atOrder).toSorted((a, b) => a - b),
        )
        expect(new Set(faults.map(({ kind }) => kind))).toEqual(new Set(given.kinds))
        for (const { atOrder } of faults) expect(atOrder).toBeLessThan(given.orders)
        const killed = new Set(faults.flatMap(({ kind, target }) => (kind === 'kill' ? [target] : [])))
        expect(killed.size).toBe(given.kinds.includes('kill') ? given.workers.payment + given.workers.shipping : 0)
      }),
    )
  })

  it('keeps the clock of shipping 1 behind all earlier processes once it has jumped, with any seed', () => {
    fc.assert(
      fc.property(settings, (given) => {
        const clocks = new Map<string, number>()
        const jumps = faultsOf({ ...given, kinds: ['clock'] })
        for (const { target, ms } of jumps) {
          clocks.set(target, ms)
          const last = clocks.get('shipping 1')
          const others = [...clocks].flatMap(([name, offset]) => (name.startsWith('shipping') ? [] : [offset]))
          if (last !== undefined) expect(last).toBeLessThanOrEqual(Math.min(0, ...others) - 30_000)
        }
        const first = jumps.find(({ target }) => target === 'shipping 1')
        expect(first?.atOrder).toBeLessThanOrEqual(0.3 * given.orders)
      }),
      { numRuns: 2_000 },
    )
  })

  it('kills in the first half, while the workers still have work', () => {
    fc.assert(
      fc.property(settings, (given) => {
        for (const { atOrder } of faultsOf({ ...given, kinds: ['kill'] }))
          expect(atOrder).toBeLessThanOrEqual(given.orders / 2)
      }),
    )
  })

  it('differs for another seed', () => {
    const given = { orders: 1_000, kinds, workers, lockMs: 1_000 }
    expect(faultsOf({ ...given, seed: 1 })).not.toEqual(faultsOf({ ...given, seed: 2 }))
  })

  it('uses orders that follow from the seed, some of which cannot be fulfilled and some not paid', () => {
    const orders = ordersOf(3, 400)
    expect(ordersOf(3, 400)).toEqual(orders)
    expect(orders.filter(({ card }) => card === 'refused')).toHaveLength(8)
    const wanted = orders.reduce((sum, { quantity }) => sum + quantity, 0)
    const there = Object.values(stockFor(orders)).reduce((sum, count) => sum + count, 0)
    expect(there).toBeLessThan(wanted)
    expect(there).toBeGreaterThan(wanted / 2)
  })
})

describeReal('chaos', need, () => {
  it('ends on Ctrl-C and leaves nothing behind', async () => {
    const run = await runExample(chapter, 'chaos', ['--orders', '100000', '--workers', '1'], { interruptWhen: /%/ })
    expect(run).toMatchObject({ code: 130, stdout: expect.not.stringContaining('orders ended') })
    expect(await run.leftBehind(10_000)).toEqual([])
  })

  it('stops processes that are still starting when the pipeline stops', async () => {
    const starting = await (async () => {
      await using pipeline = await startPipeline({ stock: plenty, workers: { payment: 1, shipping: 0 } })
      await pipeline.kill('payment 1')
      return { started: pipeline.start('payment 1'), processes: pipeline.processes }
    })()
    await starting.started
    for (const [name, { process }] of starting.processes)
      expect(process.exitCode ?? process.signalCode, name).not.toBe(null)
  })

  it('says in one line that the port is in use', async () => {
    const server = createServer().listen(0, '127.0.0.1')
    await new Promise((resolve) => server.once('listening', resolve))
    const address = server.address()
    const port = typeof address === 'object' ? (address?.port ?? 0) : 0
    const starting = startPipeline({ stock: plenty, workers: { payment: 0, shipping: 0 }, port })
    await expect(starting).rejects.toThrow(`port ${port} is in use: the front cannot listen there`)
    server.close()
  })
})

describe('chaos', () => {
  it('lists the planted bugs and the faults', async () => {
    const { code, stdout } = await runHere(chaos, '--help')
    expect(code).toBe(0)
    for (const name of [...bugNames, ...kinds]) expect(stdout).toContain(name)
  })

  it.each([
    { seed: '-1' },
    { seed: 'monday' },
    { bug: 'off-by-one' },
    { faults: 'kill,earthquake' },
    { orders: '49' },
    { port: '65536' },
  ])('refuses %j', async (options) => {
    const [[name, value] = []] = Object.entries(options)
    await expect(chaos.run(options as object)).rejects.toThrow(`--${name}: received "${value}"; accepts `)
  })
})
