/**
 * A job that holds up its event loop, and the ways out. cpu-bound.long.test.ts runs the example: it keeps a core busy
 * for as long as many locks last.
 */
import { setImmediate } from 'node:timers/promises'
import { startProgram } from '@repo/common/process/child'
import { findRedisServer, installRedis, startRedis } from '@repo/common/servers/redis'
import { describeReal } from '@repo/common/testing/vitest'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { countPrimes, countPrimesInSlices } from '../../src/cpu-bound/primes.ts'
import { inAThread, inSlices, onTheEventLoop, sandboxed } from '../../src/cpu-bound/tasks.ts'
import { openClient } from '../../src/queue/client.ts'
import { primesBelow } from '../fixtures/primes-below.ts'
import { said } from '../fixtures/said.ts'

const need = { name: 'a Redis server', found: await findRedisServer(), install: installRedis }

describe('counting primes', () => {
  it.each([0, 2, 3, 4, 5, 10, 499, 500, 501, 1_000, 100_000])(
    'counts those below %i, in one piece and in slices',
    async (below) => {
      expect(countPrimes(below)).toBe(primesBelow(below))
      expect(await countPrimesInSlices(below, { sliceMs: 1 })).toBe(primesBelow(below))
    },
  )

  it('lets the event loop have its turn between slices, and ends when asked to', async () => {
    const stop = new AbortController()
    let turns = 0
    let counting = true
    const counted = countPrimesInSlices(1_000_000_000, { sliceMs: 1, signal: stop.signal }).finally(() => {
      counting = false
    })
    counted.catch(() => {})
    while (counting && turns < 5) {
      await setImmediate()
      turns++
    }
    expect(turns).toBe(5)
    stop.abort()
    await expect(counted).rejects.toThrow('aborted')
  })

  it('goes on as long as it is told to, and counts the same', async () => {
    const begin = performance.now()
    expect(countPrimes(100, 20)).toBe(25)
    expect(performance.now() - begin).toBeGreaterThanOrEqual(20)
    expect(await countPrimesInSlices(100, { sliceMs: 1, leastMs: 20 })).toBe(25)
    expect(performance.now() - begin).toBeGreaterThanOrEqual(40)
  })
})

describeReal('a worker', need, () => {
  afterEach(() => void vi.unstubAllEnvs())

  it('counts in each of the four places', async () => {
    vi.stubEnv('REDIS_URL', undefined)
    await using redis = await startRedis()
    await using client = await openClient({ url: redis.url })
    await using _worker = await startProgram(new URL('../../src/cpu-bound/worker.program.ts', import.meta.url), {
      args: [client.prefix, 'worker', '60000', '0'],
      env: { REDIS_URL: redis.url },
    })
    const sent = [onTheEventLoop, inAThread, sandboxed, inSlices].map((task) =>
      client.send(task, { below: 10_000, leastMs: 0 }),
    )
    const counted = await Promise.all(sent.map(async (result) => (await result).get({ timeoutMs: 60_000 })))
    expect(counted).toEqual(Array(4).fill(primesBelow(10_000)))
  })
})

describe('cpu-bound', () => {
  it.each([
    ['--lock', '100'],
    ['--redeliveries', '-1'],
  ])('refuses %s %s', async (option, value) => {
    const { code, stderr } = await said('cpu-bound', [option, value])
    expect(code).toBe(2)
    expect(stderr).toMatch(new RegExp(`^error: ${option}: received "${value}"; accepts .*\n$`))
  })
})
