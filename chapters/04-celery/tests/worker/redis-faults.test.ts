/** What goes wrong with Redis: one clear line says so where the reader looks, and nothing is lost. */

import type { AddressInfo } from 'node:net'
import { createServer } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import { until } from '@repo/common/async/until'
import { describeError } from '@repo/common/example/usage'
import { startProxy } from '@repo/common/servers/proxy'
import { type RedisServer, startRedis } from '@repo/common/servers/redis'
import { runHere } from '@repo/common/testing/run-here'
import { runProgram } from '@repo/common/testing/testing'
import { afterAll, afterEach, beforeAll, expect, it, vi } from 'vitest'
import { z } from 'zod'
import echoExample from '../../examples/echo.ts'
import type { Client } from '../../src/queue/client.ts'
import { ping } from '../../src/queue/control.ts'
import { gather } from '../../src/queue/results.ts'
import { revoke } from '../../src/queue/revoke.ts'
import { defineTask } from '../../src/queue/task.ts'
import { echo } from '../../src/tasks/index.ts'
import type { Log } from '../../src/worker/call.ts'
import { describeRedis, useLayer } from '../fixtures/layer.ts'

const layer = useLayer({ appendOnly: true })
const chapter = new URL('../..', import.meta.url).pathname

/** Lines of a worker's log. */
function record(): Log & { lines: string[] } {
  const lines: string[] = []
  const add = (_about: object, message: string) => void lines.push(message)
  return { lines, debug: () => {}, info: add, warn: add, error: add }
}

const texts = (count: number) => Array.from({ length: count }, (_, at) => ({ text: String(at) }))

/** A task with a connection for its own data, which is lost as well. */
const uses = defineTask({ name: 'uses', args: z.object({}), run: async (_, { redis }) => await redis.ping() })

describeRedis('a Redis that is full', () => {
  it('takes no more tasks, says so to the sender, loses none, and continues when there is room', async () => {
    const client = await layer.openClient()
    const sent = await client.sendMany(echo, texts(50))
    const log = record()
    await client.redis.config('SET', 'maxmemory', '1000000')
    try {
      const error = describeError(await client.send(echo, { text: 'more' }).catch((thrown) => thrown))
      expect(error).toBe(
        `error: Redis at ${layer.redis.maskedUrl} is full: make room or raise its maxmemory; what it holds is not lost`,
      )
      await layer.startWorker({ tasks: [echo], log })
      await until(() => log.lines.includes('Redis is full (maxmemory)'))
      expect(await sent[0]?.state()).toBe('waiting')
      // Time for many attempts, if it did not rest between two of them.
      await delay(300)
    } finally {
      await client.redis.config('SET', 'maxmemory', '0')
    }
    expect(await gather(sent)).toEqual(texts(50).map(({ text }) => text))
    expect(log.lines.length).toBeLessThan(10)
  })
})

describeRedis('a Redis that goes away', () => {
  it('makes senders fail at once in one line, and workers log one line; all tasks are done when it is back', async () => {
    const client = await layer.openClient()
    const log = record()
    await layer.startWorker({ tasks: [echo, uses], log })
    await (await client.send(uses, {})).get()
    const later = await client.sendMany(echo, texts(20), { countdownMs: 600_000 })
    const waiting = gather(later)
    const colds = await Promise.all(Array.from({ length: 4 }, () => layer.openClient()))
    await layer.redis.server?.kill()
    const error = describeError(await client.send(echo, { text: 'lost?' }).catch((thrown) => thrown))
    expect(error).toMatch(/^error: Redis at redis:\/\/:\*\*\*@127\.0\.0\.1:\d+ does not answer: .*ECONNREFUSED/)
    await expect(later[0]?.get({ timeoutMs: 20 })).rejects.toThrow('within 20 ms')
    // The same for a client that has not subscribed yet, whatever it does first.
    for (const attempt of [
      (cold: Client) => cold.send(echo, { text: 'lost?' }),
      (cold: Client) => cold.result('default.nobody.1').get(),
      (cold: Client) => ping(cold),
      (cold: Client) => revoke(cold, later.slice(0, 1)),
    ]) {
      await expect(attempt(colds.pop() ?? client)).rejects.toThrow('does not answer')
    }
    await until(() => log.lines.length > 0)
    await layer.redis.restart()
    // Not by a countdown: their time might come before Redis goes.
    await client.queue('default').promoteJobs()
    expect(await waiting).toEqual(texts(20).map(({ text }) => text))
    expect(await (await client.send(echo, { text: 'again' })).get()).toBe('again')
    expect(log.lines).toEqual(['Redis is unreachable; trying to reconnect', 'Redis is back'])
  })

  it('lets workers that were closed meanwhile end, whenever it is back', async () => {
    const closeAndHealAfter = async (ms: number) => {
      await using proxy = await startProxy({ host: layer.redis.host, port: layer.redis.port })
      const url = new URL(layer.redis.url)
      url.host = `${proxy.host}:${proxy.port}`
      const worker = await layer.startWorker({ url: url.href, tasks: [echo] })
      proxy.refuse()
      await until(() => proxy.connections === 0)
      const closed = worker.close()
      await delay(ms)
      proxy.heal()
      await closed
    }
    // Each at another moment between two attempts to connect, side by side: each closing takes seconds.
    await Promise.all([0, 70, 300].map(closeAndHealAfter))
  })
})

describeRedis('an example and a worker', () => {
  let fine: RedisServer
  beforeAll(async () => {
    fine = await startRedis({ own: true })
  })
  afterAll(async () => await fine[Symbol.asyncDispose]())

  afterEach(() => void vi.unstubAllEnvs())

  /** What an example prints. A worker's program checks its Redis with the same function. */
  async function said(url: string): Promise<string> {
    vi.stubEnv('REDIS_URL', url)
    const { code, stdout, stderr } = await runHere(echoExample, '--quick')
    expect(stdout).toBe('')
    return `${code} ${stderr}`
  }

  it('say that no Redis is running', async () => {
    const line = 'error: REDIS_URL: redis://127.0.0.1:1 cannot be used: connect ECONNREFUSED 127.0.0.1:1\n'
    const url = 'redis://127.0.0.1:1'
    expect(await said(url)).toBe(`1 ${line}`)
    const run = await runProgram('src/tasks/worker.program.ts', [], { env: { REDIS_URL: url }, cwd: chapter })
    expect(run).toMatchObject({ code: 1, stdout: '', stderr: line })
    expect(await run.leftBehind()).toEqual([])
  })

  it('say that the password is wrong, without showing it', async () => {
    const wrong = `redis://:secret@${fine.host}:${fine.port}`
    const line = await said(wrong)
    expect(line).toMatch(/^1 error: REDIS_URL: redis:\/\/:\*\*\*@127\.0\.0\.1:\d+ refuses the password: .+\n$/)
    expect(line).not.toContain('secret')
  })

  it('say that it is too old', async () => {
    // An old server cannot be installed, so this one answers as Redis 5 did.
    const info = 'redis_version:5.0.14\r\nmaxmemory_policy:noeviction\r\n'
    const old = createServer((socket) => {
      socket.on('error', () => {})
      socket.on('data', (request) => {
        for (const [command = ''] of request
          .toString('latin1')
          .matchAll(/(?<=\$\d+\r\n)(HELLO|INFO|PING|CLIENT|SELECT)/gi)) {
          const name = command.toUpperCase()
          if (name === 'INFO') socket.write(`$${info.length}\r\n${info}\r\n`)
          else if (name === 'HELLO') socket.write("-ERR unknown command 'HELLO'\r\n")
          else socket.write(name === 'PING' ? '+PONG\r\n' : '+OK\r\n')
        }
      })
    })
    await new Promise<void>((resolve) => old.listen(0, '127.0.0.1', resolve))
    const url = `redis://127.0.0.1:${(old.address() as AddressInfo).port}`
    const line = `1 error: REDIS_URL: ${url} is Redis 5.0.14; accepts 6.2.0 or newer\n`
    expect(await said(url)).toBe(line)
    old.close()
  })

  it('say that it would throw tasks away', async () => {
    const client = await layer.openClient()
    await client.redis.config('SET', 'maxmemory-policy', 'allkeys-lru')
    const line = await said(layer.redis.url)
    await client.redis.config('SET', 'maxmemory-policy', 'noeviction')
    expect(line).toContain('has maxmemory-policy "allkeys-lru"; accepts noeviction')
  })

  it('say that the address is not a Redis', async () => {
    const line = await said('http://127.0.0.1')
    expect(line).toMatch(/^2 error: REDIS_URL: received "http:\/\/127\.0\.0\.1"; accepts redis:\/\//)
  })
})
