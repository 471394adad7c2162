/** The drill on an engine: what it counts is what happened. All engines: on-….long.test.ts and with-brokers.long.test.ts. */
import { connectRedis } from '@repo/common/servers/connect'
import { findRedisServer, installRedis, startRedis } from '@repo/common/servers/redis'
import { describeReal, leavesNothingRunning } from '@repo/common/testing/vitest'
import { describe, expect, it } from 'vitest'
import { drill } from '../../src/engines/drill.ts'
import { adapterLines, type Engine, engines } from '../../src/engines/engines.ts'
import { openEngine } from '../../src/engines/open-engine.ts'
import { diskOf, memoryOf, withDescendants } from '../../src/engines/processes.ts'

const { signal } = new AbortController()
const bee = engines.bee as Engine

describeReal('the drill', { name: 'a Redis server', found: await findRedisServer(), install: installRedis }, () => {
  leavesNothingRunning()

  it('counts what was begun again after a kill, loses nothing, and knows what waiting jobs need', async () => {
    await using server = await startRedis({ appendOnly: true, own: true })
    const ledger = await connectRedis(server.url)
    using _ledger = { [Symbol.dispose]: () => ledger.disconnect() }
    await using engine = await openEngine('bee', bee, { ledgerUrl: server.url, signal })

    const before = await engine.footprint()
    await engine.hand(500)
    const after = await engine.footprint()
    expect(await engine.client.left()).toBe(500)
    // The arguments alone have some bytes.
    expect(after.disk - before.disk).toBeGreaterThan(500 * 10)

    await engine.startWorkers()
    await engine.untilSmallDone()
    // A job ends a moment after its work.
    await expect.poll(() => engine.client.left(), { timeout: 30_000 }).toBe(0)

    const done: number[] = []
    const jobs = 300
    const options = { jobs, strikes: 1, patienceMs: 60_000, ledger, onProgress: (jobs: number) => done.push(jobs) }
    const result = await drill(engine, 'worker killed', options)
    expect(result).toMatchObject({ lost: 0, held: 0, doubled: 0, recoveryMs: [expect.any(Number)] })
    expect(result.jobs).toBeGreaterThanOrEqual(jobs)
    // The worker had at least one when it was killed.
    expect(result.begunTwice).toBeGreaterThan(0)
    expect(result.recoveryMs[0]).toBeGreaterThan(0)
  })

  it('takes a worker that says nonsense for a failure', async () => {
    await using server = await startRedis({ appendOnly: true, own: true })
    const liar: Engine = {
      ...bee,
      load: async () => ({
        ...(await bee.load()),
        launch: async (_settings, options) => {
          const { startServer } = await import('@repo/common/process/child')
          const script = 'echo ready; sleep 0.2; echo done - 99; exec sleep 600'
          return await startServer({ ...options, command: 'sh', args: ['-c', script], ready: /^ready$/ })
        },
      }),
    }
    await using engine = await openEngine('bee', liar, { ledgerUrl: server.url, signal })
    await engine.hand(1)
    const failed = expect(engine.untilSmallDone()).rejects.toThrow('a worker said "done - 99", which nobody has sent')
    // One may lie before the others are ready; then these are not started.
    await engine.startWorkers().catch(() => {})
    await failed
  })
})

describe('the engines', () => {
  it('have adapters of a few lines', async () => {
    for (const [name, engine] of Object.entries(engines)) {
      const lines = await adapterLines(engine)
      expect(lines, name).toBeGreaterThan(10)
      expect(lines, name).toBeLessThan(150)
    }
  })

  it('that miss their broker say what installs it', async () => {
    const needy: Engine = { ...bee, broker: { ...bee.broker, missing: async () => 'needs a broker: buy one' } }
    await expect(openEngine('bee', needy, { ledgerUrl: '', signal })).rejects.toThrow(/^needs a broker: buy one$/)
  })
})

describe.runIf(process.platform === 'linux')('what processes cost', () => {
  it('counts descendants, and the memory that they really have', async () => {
    const all = await withDescendants([process.ppid])
    expect(all).toContain(process.pid)
    const [alone = 0, both = 0] = [await memoryOf([process.pid]), await memoryOf([process.ppid])]
    expect(alone).toBeGreaterThan(10e6)
    expect(both).toBeGreaterThan(alone)
    expect(await memoryOf([2 ** 22 + 1])).toBeUndefined()
    expect(await diskOf(['/no/such/folder'])).toBe(0)
  })
})
