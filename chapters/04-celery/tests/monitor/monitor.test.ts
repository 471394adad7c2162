/** The board in a real browser, and the live view. */
import { once } from 'node:events'
import { type IncomingMessage, request } from 'node:http'
import { type AddressInfo, createServer } from 'node:net'
import { until } from '@repo/common/async/until'
import { UsageError } from '@repo/common/example/usage'
import { findChromium, installChromium } from '@repo/common/process/chromium'
import { temporaryFolder } from '@repo/common/process/temporary'
import { findRedisServer, installRedis } from '@repo/common/servers/redis'
import { describeReal } from '@repo/common/testing/vitest'
import { chromium } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { z } from 'zod'
import monitor from '../../examples/monitor.ts'
import { openBoard } from '../../src/monitor/board.ts'
import { watch } from '../../src/monitor/monitor.ts'
import { rateKeys } from '../../src/queue/moments.ts'
import { defineTask } from '../../src/queue/task.ts'
import { add } from '../../src/tasks/index.ts'
import { stumble } from '../../src/tasks/tour.ts'
import { useLayer } from '../fixtures/layer.ts'
import { said } from '../fixtures/said.ts'

const needRedis = { name: 'a Redis server', found: await findRedisServer(), install: installRedis }

const executablePath = await findChromium()
const needBrowser = {
  name: 'Chromium and a Redis server',
  found: executablePath && needRedis.found,
  install: `${installChromium}; ${installRedis}`,
}

describeReal('the board', needBrowser, () => {
  const layer = useLayer()

  it('shows a failed job to a reader, who retries it', async () => {
    const client = await layer.openClient()
    await layer.startWorker({ tasks: [add, stumble] })
    const board = layer.use(await openBoard(client, ['default']))
    const result = await client.send(stumble, { over: 'a stone' })
    await expect(result.get({ timeoutMs: 60_000 })).rejects.toThrow('stumbled over a stone')

    const folder = layer.use(await temporaryFolder())
    const browser = await chromium.launchPersistentContext(folder.path, {
      executablePath: executablePath ?? '',
      headless: true,
      timeout: 60_000,
      args: [
        '--no-sandbox',
        '--disable-gpu',
        '--disable-quic',
        '--no-first-run',
        '--disable-background-networking',
        '--disable-component-update',
        '--disable-sync',
      ],
    })
    try {
      const page = await browser.newPage()
      page.setDefaultTimeout(60_000)
      await page.goto(`${board.url}queue/default?status=failed`)
      await page.getByText('stumbled over a stone').first().waitFor()
      expect(await result.state()).toBe('failed')
      await page.getByRole('button', { name: 'Retry all' }).click()
      await page.getByRole('button', { name: 'Confirm' }).click()
      await page.getByText('stumbled over a stone').first().waitFor({ state: 'detached' })
      expect(await until(async () => (await result.state()) === 'succeeded', { timeoutMs: 60_000 })).toBe(true)
      await page.goto(`${board.url}queue/default?status=completed`)
      await page.getByText('stumble', { exact: false }).first().waitFor()
    } finally {
      await browser.close()
    }
  })
})

describeReal('the board without a browser', needRedis, () => {
  const layer = useLayer()

  it('listens only on the loopback interface, and to no other web page', async () => {
    const board = layer.use(await openBoard(await layer.openClient(), ['default']))
    const ask = async (headers: Record<string, string>) => {
      const { promise, resolve } = Promise.withResolvers<IncomingMessage>()
      // Not with fetch, which sets these headers itself.
      request(board.url, { headers }, resolve).end()
      const response = await promise
      response.resume()
      return response
    }
    expect(board.url).toMatch(/^http:\/\/127\.0\.0\.1:\d+\/$/)
    expect((await ask({})).statusCode).toBe(200)
    expect((await ask({ host: 'attacker.example' })).statusCode).toBe(403)
    expect((await ask({ origin: 'https://attacker.example' })).statusCode).toBe(403)
    expect((await ask({})).headers['content-security-policy']).toContain("default-src 'self'")
  })
})

describeReal('a task with a rate limit', needRedis, () => {
  const layer = useLayer()

  it('gives its moment back when it is deleted on the board, the others keep theirs', async () => {
    const rateLimit = { max: 1, perMs: 600_000 }
    const limited = defineTask({ name: 'limited', args: z.object({}), rateLimit, run: () => 'ran' })
    const client = await layer.openClient()
    await layer.startWorker({ tasks: [limited] })
    const board = layer.use(await openBoard(client, ['default']))
    await (await client.send(limited, {})).get({ timeoutMs: 60_000 })
    const moments = () => client.redis.hkeys(rateKeys(layer.prefix, 'limited')[1] ?? '')
    const [deleted, kept] = await client.sendMany(limited, [{}, {}])
    await until(async () => (await client.queue('default').getDelayedCount()) === 2, { timeoutMs: 60_000 })
    const { status } = await fetch(`${board.url}api/queues/default/${deleted?.id}/clean`, { method: 'PUT' })
    expect([status, await moments()]).toEqual([204, [kept?.id]])
  })
})

describeReal('the view', needRedis, () => {
  const layer = useLayer()

  it('counts what waits, what is done and what failed, and knows the workers', async () => {
    const client = await layer.openClient()
    const watching = layer.use(await watch(client, ['default'], { windowMs: 600_000 }))
    const results = await client.sendMany(add, [
      { a: 1, b: 2 },
      { a: 3, b: 4 },
    ])
    const failing = await client.send(stumble, { over: 'a step' })
    expect(await watching.now()).toMatchObject({ workers: [], queues: [{ queue: 'default', waiting: 3, running: 0 }] })

    await layer.startWorker({ tasks: [add, stumble], name: 'observed', concurrency: 3 })
    expect(await Promise.all(results.map((result) => result.get({ timeoutMs: 60_000 })))).toEqual([3, 7])
    await failing.settled()
    const view = await until(async () => {
      const view = await watching.now()
      const [queue] = view.queues
      // The events arrive after the results.
      const isComplete =
        view.workers.length > 0 &&
        queue &&
        queue.failedPerSecond > 0 &&
        queue.failedPerSecond * 2.9 < queue.donePerSecond
      return isComplete ? view : undefined
    })
    expect(view.workers).toMatchObject([{ worker: 'observed', concurrency: 3, succeeded: 2, failed: 1 }])
    expect(view.queues).toMatchObject([{ queue: 'default', waiting: 0, running: 0, failed: 1 }])
    const [{ waitMs, runMs } = { waitMs: { p50: -1, p95: -1 }, runMs: { p50: -1 } }] = view.queues
    expect(waitMs.p95).toBeGreaterThanOrEqual(waitMs.p50)
    expect(runMs.p50).toBeGreaterThanOrEqual(0)
  })
})

describeReal('the view of scheduled tasks', needRedis, () => {
  const layer = useLayer()

  it('does not count the time until they are due as a wait for a worker', async () => {
    const client = await layer.openClient()
    const watching = layer.use(await watch(client, ['default'], { windowMs: 600_000 }))
    const result = await client.send(add, { a: 1, b: 2 }, { countdownMs: 600_000 })
    await layer.startWorker({ tasks: [add] })
    await (await client.queue('default').getJob(result.id))?.promote()
    expect(await result.get({ timeoutMs: 60_000 })).toBe(3)
    const { queues } = await until(async () => {
      const view = await watching.now()
      return Number(view.queues[0]?.donePerSecond) > 0 ? view : undefined
    })
    expect(queues[0]?.waitMs).toEqual({ p50: 0, p95: 0 })
  })
})

describeReal('monitor', needRedis, () => {
  beforeAll(() => void vi.stubEnv('REDIS_URL', undefined))
  afterAll(() => void vi.unstubAllEnvs())

  it('says in one line that a port is taken', async () => {
    await using taken = createServer().listen(0, '127.0.0.1')
    await once(taken, 'listening')
    const { port } = taken.address() as AddressInfo
    const refused = monitor.run({ port, seconds: 1 })
    await expect(refused).rejects.toThrow(UsageError)
    await expect(refused).rejects.toThrow(new RegExp(`^--port: received "${port}"; accepts .*EADDRINUSE`))
  })
})

describe('monitor', () => {
  it.each([
    ['--port', '65536'],
    ['--seconds', '0'],
    ['--load', '-1'],
  ])('refuses %s %s', async (option, value) => {
    const { code, stderr } = await said('monitor', [option, value])
    expect(code).toBe(2)
    expect(stderr).toMatch(new RegExp(`^error: ${option}: received "${value}"; accepts .*\n$`))
  })
})
