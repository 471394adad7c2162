/** The model against what queueing theory says exactly, and against a few real tasks. */
import { findRedisServer, installRedis, startRedis } from '@repo/common/servers/redis'
import { runHere } from '@repo/common/testing/run-here'
import { describeReal } from '@repo/common/testing/vitest'
import { describe, expect, it } from 'vitest'
import beyond from '../../examples/beyond.ts'
import { startBench } from '../../src/model/measure.ts'
import { type Costs, rateOf, simulate } from '../../src/model/model.ts'

const costs: Costs = { napMs: 10, workerMs: 0, clientMs: 0, sendMs: 0, nextMs: 0.1, wayMs: 1 }
const within = (share: number, received: number, expected: number) =>
  expect(Math.abs(received / expected - 1), `${received} for ${expected}`).toBeLessThan(share)

describe('the model', () => {
  it('agrees with mean value analysis for a broker that workers come back to', () => {
    // Exact for one exponential server and a pause of any distribution (Reiser and Lavenberg, 1980).
    let waiting = 0
    const exact = new Map<number, number>()
    for (let workers = 1; workers <= 256; workers++) {
      const atBrokerMs = costs.nextMs * (1 + waiting)
      const perMs = workers / (costs.napMs + costs.wayMs + atBrokerMs)
      waiting = perMs * atBrokerMs
      exact.set(workers, 1_000 * perMs)
    }
    for (const workers of [1, 8, 64, 96, 110, 128, 256])
      within(0.03, simulate(costs, {}, { workers, tasks: 60_000 }).perSecond, exact.get(workers) ?? 0)
  })

  it('agrees with the M/D/1 queue for one worker and tasks that arrive at random', () => {
    const free = { ...costs, nextMs: 0, wayMs: 0 }
    const [perSecond, load] = [60, 0.6]
    const { p50Ms, p95Ms } = simulate(free, {}, { workers: 1, tasks: 300_000, perSecond })
    // The share of tasks that wait no longer than so many naps (Erlang, 1909).
    const share = (naps: number) =>
      Array.from({ length: Math.floor(naps) + 1 }, (_, k) => {
        const x = load * (k - naps)
        const factorial = Array.from({ length: k }, (_, at) => at + 1).reduce((product, each) => product * each, 1)
        return ((1 - load) * x ** k * Math.exp(-x)) / factorial
      }).reduce((sum, term) => sum + term, 0)
    expect(share((p50Ms - 10) / 10)).toBeCloseTo(0.5, 1.6)
    expect(share((p95Ms - 10) / 10)).toBeCloseTo(0.95, 1.6)
  })

  it('lets the cores of one machine limit what computes, and not what waits', () => {
    const computing = { ...costs, workerMs: 4, nextMs: 0, wayMs: 0 }
    within(0.03, simulate(computing, { cores: 2 }, { workers: 32, tasks: 20_000 }).perSecond, 500)
    within(0.03, simulate(computing, {}, { workers: 32, tasks: 20_000 }).perSecond, (1_000 * 32) / 14)
    const waiting = { ...costs, wayMs: 0, nextMs: 0 }
    within(0.01, simulate(waiting, { cores: 2 }, { workers: 32, tasks: 20_000 }).perSecond, 3_200)
  })

  it('does as much more with more brokers, once they are what everybody waits for', () => {
    for (const brokers of [1, 2, 4])
      within(0.03, simulate(costs, { brokers }, { workers: 1_000, tasks: 50_000 }).perSecond, 10_000 * brokers)
  })

  it('counts a send for each task in the steady state, and a wake-up for each that finds an idle worker', () => {
    const both = { ...costs, sendMs: 0.1 }
    const sending = simulate(both, {}, { workers: 1_000, tasks: 50_000, isSending: true })
    within(0.03, sending.perSecond, 5_000)
    expect(sending.brokerLoad).toBeGreaterThan(0.99)
    within(0.05, simulate(both, {}, { workers: 1_000, tasks: 50_000, perSecond: 2_000 }).brokerLoad, 0.6)
  })

  it('repeats itself with a seed', () => {
    const load = { workers: 4, tasks: 2_000, perSecond: 200 }
    expect(simulate(costs, {}, { ...load, seed: 7 })).toEqual(simulate(costs, {}, { ...load, seed: 7 }))
    expect(simulate(costs, {}, { ...load, seed: 7 })).not.toEqual(simulate(costs, {}, { ...load, seed: 8 }))
  })

  it('counts neither the beginning nor the end of a run', () => {
    const steady = Array.from({ length: 100 }, (_, at) => 1_000 + 10 * at)
    within(1e-9, rateOf(steady), 100)
    within(1e-9, rateOf([0, 1, 2, ...steady.slice(3, 95), 9_000, 9_001, 9_002, 9_003, 9_004]), 100)
  })
})

describe('wrong options', () => {
  it('are refused in one line', async () => {
    expect(await runHere(beyond, '--ms', '0')).toMatchObject({
      code: 2,
      stderr: expect.stringMatching(/--ms: received "0"; accepts a whole number from 1 to 10,?000/),
    })
  })
})

const real = { name: 'a Redis server', found: await findRedisServer(), install: installRedis }
describeReal('a real queue', real, () => {
  it('is measured: what a task costs, and what some workers do', async () => {
    const { signal } = new AbortController()
    await using redis = await startRedis({ own: true })
    await using bench = await startBench(redis, 2, signal)
    const { clientMs, sendMs } = await bench.sendMany(50)
    expect(Math.min(clientMs, sendMs)).toBeGreaterThan(0)
    const backlog = await bench.takeBacklog(2, 40, 5)
    // Two workers, each of which waits at least 5 ms for a task, less what a timer may come early.
    expect(backlog.perSecond).toBeLessThan(2_000 / 4.9)
    expect(backlog.napMs).toBeGreaterThan(4.9)
    expect(Math.min(backlog.workerMs, backlog.nextMs)).toBeGreaterThan(0)
    const arrivals = await bench.takeArrivals(1, 20, 1, 100)
    expect(arrivals.p50Ms).toBeGreaterThan(0.9)
    expect(arrivals.p95Ms).toBeGreaterThanOrEqual(arrivals.p50Ms)
  })
})
