/** A job that holds up its event loop, and the ways out. */
import { setImmediate } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { findRedisServer, installRedis } from '@repo/common/servers/redis'
import { runExample } from '@repo/common/testing/testing'
import { describeReal } from '@repo/common/testing/vitest'
import { describe, expect, it } from 'vitest'
import { countPrimes, countPrimesInSlices } from '../../src/cpu-bound/primes.ts'
import { said } from '../fixtures/said.ts'

const chapter = fileURLToPath(new URL('../..', import.meta.url))
const need = { name: 'a Redis server', found: await findRedisServer(), install: installRedis }

/** By the sieve of Eratosthenes. */
function primesBelow(below: number): number {
  const composite = new Uint8Array(below)
  let primes = 0
  for (let candidate = 2; candidate < below; candidate++) {
    if (composite[candidate]) continue
    primes++
    for (let multiple = candidate * candidate; multiple < below; multiple += candidate) composite[multiple] = 1
  }
  return primes
}

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

describeReal('cpu-bound', need, () => {
  it('is run again and again on the event loop, once everywhere else', async () => {
    // A busy machine can renew a lock this long, unless something blocks the event loop.
    const args = ['--quick', '--json', '--lock', '1200']
    const run = await runExample(chapter, 'cpu-bound', args, { env: { REDIS_URL: undefined } })
    expect(run, run.stderr).toMatchObject({ code: 0 })
    const { below, ways } = run.json<{ below: number; ways: { name: string; runs: number; primes?: number }[] }>()
    const [blocking, ...cured] = ways
    expect(blocking).toMatchObject({
      name: 'on the event loop',
      completed: false,
      error: expect.stringMatching(/stalled/),
    })
    expect(blocking?.runs).toBeGreaterThan(1)
    expect(cured.map(({ name }) => name)).toEqual(['in a thread', 'sandboxed', 'in slices'])
    for (const way of cured) expect(way).toMatchObject({ runs: 1, completed: true, primes: primesBelow(below) })
    expect(await run.leftBehind()).toEqual([])
  })

  it('tells a reader what happens when, and ends at Ctrl-C', async () => {
    const options = { env: { REDIS_URL: undefined }, interruptWhen: /its lock has run out/ }
    const run = await runExample(chapter, 'cpu-bound', ['--quick'], options)
    expect(run.code).toBe(130)
    expect(run.stdout).toMatch(/on the event loop:\n.* begun\n.*its lock has run out/)
    expect(await run.leftBehind()).toEqual([])
  })

  it.each([
    ['--lock', '100'],
    ['--redeliveries', '-1'],
  ])('refuses %s %s', async (option, value) => {
    const { code, stderr } = await said('cpu-bound', [option, value])
    expect(code).toBe(2)
    expect(stderr).toMatch(new RegExp(`^error: ${option}: received "${value}"; accepts .*\n$`))
  })
})
