/** Engines with their real brokers: no job is lost when a worker is killed, and none by three machines that lose one. */
import { until } from '@repo/common/async/until'
import { connectRedis } from '@repo/common/servers/connect'
import { findRedisServer, startRedis } from '@repo/common/servers/redis'
import { describeReal, leavesNothingRunning } from '@repo/common/testing/vitest'
import { expect, it } from 'vitest'
import { drill, type FaultKind, faultKinds } from '../../src/engines/drill.ts'
import { engines } from '../../src/engines/engines.ts'
import { openEngine } from '../../src/engines/open-engine.ts'

const { signal } = new AbortController()
const redis = await findRedisServer()
/** Brokers of three machines. */
const replicated = ['rabbitmq', 'nats']
/** They give a dead worker's jobs to another one only after a minute or more. */
const slowToNotice = ['graphile', 'rq']
/** They do few jobs a second. */
const slow = ['temporal']
/** Kombu takes a job out of Redis before it notes that it has it: what dies in between, loses it. */
const careless = ['celery']

/** Declares the tests of some engines. The brokers take turns within a file, and files run beside each other. */
export async function drillEach(names: readonly string[]): Promise<void> {
  for (const name of names) {
    const engine = engines[name]
    if (!engine) throw new Error(`no engine ${name}`)
    const missing = (await engine.broker.missing()) ?? (await engine.missing?.())
    const need = { name: engine.label, found: redis && missing === undefined, install: missing ?? '' }
    describeReal(engine.label, need, () => {
      leavesNothingRunning()

      it('does jobs, and books each of them once, whatever is broken', { timeout: 600_000 }, async () => {
        await using server = await startRedis({ appendOnly: true, own: true })
        const ledger = await connectRedis(server.url)
        using _ledger = { [Symbol.dispose]: () => ledger.disconnect() }
        await using open = await openEngine(name, engine, { ledgerUrl: server.url, signal })
        await open.hand(100)
        // Some count a little later.
        await until(async () => (await open.client.left()) === 100, { what: 'all of them wait' })
        await open.startWorkers()
        await open.untilSmallDone()

        for (const kind of Object.keys(faultKinds) as FaultKind[]) {
          const isBroker = kind === 'broker killed' || kind === 'machine lost'
          if (isBroker && open.broker.faultless !== undefined) continue
          const options = { jobs: slow.includes(name) ? 40 : 200, strikes: 1, ledger, onProgress: () => {} }
          const patienceMs = slowToNotice.includes(name) ? 3_000 : 20_000
          const loses = kind === 'machine lost' && !replicated.includes(name)
          let result = await drill(open, kind, { ...options, patienceMs })
          // While the machine is busy, workers may do all that has been sent before their broker is gone.
          for (let more = 0; loses && result.lost === 0 && more < 5; more++) {
            result = await drill(open, kind, { ...options, patienceMs })
          }
          const { lost, held, doubled, recoveryMs } = result
          const what = `${name}, ${kind}`
          expect(doubled, what).toBe(0)
          expect(recoveryMs.length, what).toBeLessThanOrEqual(1)
          if (loses) expect(lost, what).toBeGreaterThan(0)
          else if (!careless.includes(name)) expect(lost, what).toBe(0)
          if (!slowToNotice.includes(name)) expect(held, what).toBe(0)
        }
      })
    })
  }
}
