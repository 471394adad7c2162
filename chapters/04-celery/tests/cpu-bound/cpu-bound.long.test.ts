/** The example cpu-bound to its end, and interrupted. */
import { fileURLToPath } from 'node:url'
import { findRedisServer, installRedis } from '@repo/common/servers/redis'
import { runExample } from '@repo/common/testing/testing'
import { describeReal } from '@repo/common/testing/vitest'
import { expect, it } from 'vitest'
import { primesBelow } from '../fixtures/primes-below.ts'

const chapter = fileURLToPath(new URL('../..', import.meta.url))
const need = { name: 'a Redis server', found: await findRedisServer(), install: installRedis }

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
})
