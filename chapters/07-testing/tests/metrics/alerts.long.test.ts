/** Each alert, caused once in the running pipeline: it fires, and no other does that the cause does not explain. */
import { until } from '@repo/common/async/until'
import { temporaryFolder } from '@repo/common/process/temporary'
import { findRedisServer, installRedis } from '@repo/common/servers/redis'
import { describeReal } from '@repo/common/testing/vitest'
import { AsyncDisposableStack } from '@whatwg-node/disposablestack'
import { afterAll, beforeAll, it } from 'vitest'
import { findPrometheus, installPrometheus, type Prometheus, startPrometheus } from '../../src/metrics/prometheus.ts'
import { plenty, startPlacing } from '../../src/pipeline/load.ts'
import { type Pipeline, startPipeline } from '../../src/pipeline/pipeline.ts'
import { observed } from '../../src/watch/observe.ts'
import type { Trouble } from './trouble.ts'

const redis = { name: 'a Redis server', found: await findRedisServer(), install: installRedis }
const prometheusNeed = { name: 'Prometheus', found: await findPrometheus(), install: installPrometheus }

describeReal('the alerts', redis, () => {
  describeReal('on the pipeline', prometheusNeed, () => {
    const stack = new AsyncDisposableStack()
    let pipeline: Pipeline
    let prometheus: Prometheus
    beforeAll(async () => {
      const targets = stack.use(await temporaryFolder())
      const folder = stack.use(await temporaryFolder())
      const watched = observed({ metrics: targets.path })
      pipeline = await startPipeline({
        stock: plenty,
        lockMs: 3_000,
        ...watched,
        instruments: new URL('./trouble.ts', import.meta.url),
      })
      stack.use(pipeline)
      stack.use(startPlacing({ url: pipeline.url, rate: 20, signal: new AbortController().signal }))
      prometheus = stack.use(await startPrometheus({ targets: targets.path, folder: folder.path }))
    })
    afterAll(() => stack.disposeAsync())

    const names = async () => new Set((await prometheus.firing()).map(({ name }) => name))
    const tell = (trouble: Trouble, processes: string[]) => {
      for (const name of processes) pipeline.processes.get(name)?.process.send(trouble)
    }
    // Each lasts until it is disposed of: the next test finds a healthy pipeline even if this one fails.
    const trouble = (trouble: Trouble, ...processes: string[]): Disposable => {
      tell(trouble, processes)
      return { [Symbol.dispose]: () => tell({}, processes) }
    }
    const startedAgain = (name: string): AsyncDisposable => ({ [Symbol.asyncDispose]: () => pipeline.start(name) })
    async function killed(name: string) {
      await pipeline.kill(name)
      return startedAgain(name)
    }
    async function stopped(name: string) {
      await pipeline.processes.get(name)?.stop()
      return startedAgain(name)
    }
    /**
     * Waits until for some time on end all of these have fired, and nothing else but what may. A busy machine causes other
     * trouble, too, which passes; what a rule is wrong about lasts as long as its cause.
     */
    async function fires(wanted: string[], may: string[] = [], forMs = 4_000) {
      const allowed = new Set([...wanted, ...may])
      let sinceMs = performance.now()
      const lasts = async () => {
        const firing = await names()
        const isRight = wanted.every((name) => firing.has(name)) && [...firing].every((name) => allowed.has(name))
        if (isRight) return performance.now() - sinceMs >= forMs
        sinceMs = performance.now()
        throw new Error(`${[...firing].join(', ') || 'none'} fire`)
      }
      await until(lasts, {
        everyMs: 200,
        timeoutMs: 60_000,
        what: `${wanted.join(', ') || 'none'} fire for ${forMs} ms`,
      })
    }
    const quiet = () =>
      until(async () => (await names()).size === 0, { everyMs: 200, timeoutMs: 90_000, what: 'no alert fires' })

    it('do not fire on a healthy pipeline', async () => {
      await quiet()
      await fires([], [], 10_000)
    })

    it.each([
      [300, 400],
      [1_200, 1_500],
      [1_700, 2_000],
    ] as const)('say that an event loop is blocked for %s of %s ms', async (ms, everyMs) => {
      {
        using _blocked = trouble({ block: [ms, everyMs] }, 'shipping 1')
        // On a busy machine, what remains of the loop's time may not do for an answer to Prometheus.
        await fires(['EventLoopBlocked'], ['OrdersWaitTooLong', 'RedisDoesNotAnswer', 'StepHangs', 'ProcessDown'])
      }
      await quiet()
    })

    it('say that a job hangs', async () => {
      {
        using _hanging = trouble({ hang: true }, 'shipping 1')
        await fires(['StepHangs'], ['OrdersWaitTooLong'])
      }
      await quiet()
    })

    it('say that the first jobs of new processes fail', async () => {
      {
        using _failing = trouble({ fail: true }, 'payment 1', 'payment 2')
        await fires(['JobsFail'], ['OrdersWaitTooLong'])
      }
      await quiet()
    })

    it('say that Redis does not answer, and blame no process', async () => {
      pipeline.redis.server?.process.kill('SIGSTOP')
      try {
        await fires(['RedisDoesNotAnswer'], ['StepHangs'], 6_000)
      } finally {
        pipeline.redis.server?.process.kill('SIGCONT')
      }
      await quiet()
    })

    it('go on saying that orders wait when the front has died', async () => {
      {
        using _hanging = trouble({ hang: true }, 'payment 1', 'payment 2')
        await fires(['OrdersWaitTooLong', 'StepHangs'])
        await using _front = await killed('front')
        await fires(['OrdersWaitTooLong', 'StepHangs', 'ProcessDown', 'NobodyWorks'])
      }
      await quiet()
    })

    it('say that all workers of a kind are gone', async () => {
      {
        await using _one = await killed('payment 1')
        await using _two = await killed('payment 2')
        await fires(['ProcessDown', 'NobodyWorks', 'OrdersWaitTooLong'])
      }
      await quiet()
    })

    it('say that a process has vanished, and that nobody is left', async () => {
      {
        await using _shipping = await stopped('shipping 2')
        // Prometheus takes some seconds to notice that a target is gone.
        await fires(['ProcessVanished'], ['ProcessDown'])
      }
      await quiet()
      {
        await using _front = await stopped('front')
        await fires(['ProcessVanished', 'NobodyThere'], ['ProcessDown', 'NobodyWorks'])
      }
      await quiet()
    })
  })
})
