/** What a production worker is told, what it tells, and what its Redis does and refuses. */
import { execFile } from 'node:child_process'
import { symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { until } from '@repo/common/async/until'
import { startProgram } from '@repo/common/process/child'
import { temporaryFolder } from '@repo/common/process/temporary'
import { findRedisServer, installRedis, startRedis } from '@repo/common/servers/redis'
import { runProgram } from '@repo/common/testing/testing'
import { describeReal } from '@repo/common/testing/vitest'
import { describe, expect, it } from 'vitest'
import { readConfig } from '../../src/production/config.ts'
import { startHealth } from '../../src/production/health.ts'
import { startSecureRedis } from '../../src/production/secure-redis.ts'
import { serviceUnit } from '../../src/production/systemd.ts'
import { openClient } from '../../src/queue/client.ts'
import { shutdown } from '../../src/queue/control.ts'
import { revoke } from '../../src/queue/revoke.ts'
import { add } from '../../src/tasks/index.ts'
import { nap } from '../../src/tasks/tour.ts'
import { said } from '../fixtures/said.ts'

const workerProgram = new URL('../../src/production/worker.program.ts', import.meta.url)
const need = { name: 'a Redis server', found: await findRedisServer(), install: installRedis }
const systemd = await promisify(execFile)('systemd-analyze', ['--version']).catch(() => undefined)
const patient = { timeoutMs: 60_000 }
const needSystemd = { name: 'systemd-analyze', found: systemd, install: 'sudo apt-get install systemd' }

describe('the configuration', () => {
  it('is read from the environment, with defaults', () => {
    const given = {
      REDIS_URL: 'rediss://worker:secret@queue.example:6380',
      WORKER_QUEUES: 'mail, images',
      WORKER_CONCURRENCY: '8',
      WORKER_NAME: '',
      PATH: '/usr/bin',
    }
    expect(readConfig(given)).toEqual({
      REDIS_URL: 'rediss://worker:secret@queue.example:6380',
      WORKER_REDIS_CA: undefined,
      WORKER_QUEUES: ['mail', 'images'],
      WORKER_CONCURRENCY: 8,
      WORKER_NAME: undefined,
      WORKER_PREFIX: 'celery',
      WORKER_GRACE_SECONDS: 30,
      WORKER_LOCK_SECONDS: 30,
      WORKER_HEALTH_HOST: '127.0.0.1',
      WORKER_HEALTH_PORT: 0,
    })
  })

  it.each([
    [{}, 'REDIS_URL: received nothing'],
    [{ REDIS_URL: 'http://host' }, 'REDIS_URL: received "http://host"'],
    [{ REDIS_URL: 'redis://:secret@queue.example:6379' }, 'REDIS_URL: received "redis://:***@queue.example:6379"'],
    [{ REDIS_URL: 'secret@host' }, 'REDIS_URL: received "***"'],
    [
      { WORKER_QUEUES: Array.from({ length: 101 }, (_, at) => `q${at}`).join() },
      'accepts 1 to 100 names of queues, each once, separated by commas',
    ],
    [{ WORKER_CONCURRENCY: '0' }, 'WORKER_CONCURRENCY: received "0"; accepts a whole number from 1 to 10000'],
    [{ WORKER_QUEUES: 'a b' }, 'WORKER_QUEUES: received "a b"'],
    [{ WORKER_REDIS_CA: '/nowhere.pem' }, 'WORKER_REDIS_CA: received "/nowhere.pem"'],
    [{ WORKER_HEALTH_HOST: 'everywhere' }, 'WORKER_HEALTH_HOST: received "everywhere"'],
    [{ WORKER_CONCURENCY: '8' }, 'environment: received "WORKER_CONCURENCY"; accepts REDIS_URL, '],
  ])('refuses %j', (wrong, message) => {
    const env = {
      ...('REDIS_URL' in wrong || Object.keys(wrong).length === 0 ? {} : { REDIS_URL: 'redis://localhost' }),
    }
    expect(() => readConfig({ ...env, ...wrong })).toThrow(message)
  })

  it('ends the worker with exit code 2, which systemd takes for an answer', async () => {
    const env = { REDIS_URL: 'redis://:secret@queue.example' }
    const { code, stderr } = await runProgram(fileURLToPath(workerProgram), [], { env })
    expect(code).toBe(2)
    expect(stderr).toMatch(/^error: REDIS_URL: received "redis:\/\/:\*\*\*@queue\.example"; accepts rediss:.*\n$/)
  })
})

describe('health', () => {
  it('answers /live always, /ready as the check says', async () => {
    let state: () => Promise<{ ok: boolean }> = async () => ({ ok: true })
    await using health = await startHealth(() => state())
    const ask = async (path: string, method = 'GET') => {
      const response = await fetch(`http://127.0.0.1:${health.port}${path}`, { method })
      return [response.status, await response.json()]
    }
    expect(await ask('/live')).toEqual([200, { ok: true }])
    expect(await ask('/ready')).toEqual([200, { ok: true }])
    state = async () => ({ ok: false })
    expect(await ask('/ready')).toEqual([503, { ok: false }])
    state = () => Promise.reject(new Error('no Redis'))
    expect(await ask('/ready')).toEqual([503, { ok: false, error: 'no Redis' }])
    expect(await ask('/live')).toEqual([200, { ok: true }])
    expect((await ask('/'))[0]).toBe(404)
    expect((await ask('/ready', 'POST'))[0]).toBe(405)
  })
})

describeReal('a production worker', need, () => {
  it('runs tasks over TLS as a user of its own, and ends with 0 at SIGTERM', async () => {
    await using redis = await startSecureRedis('celery')
    const env = { REDIS_URL: redis.url, WORKER_REDIS_CA: redis.caFile, LOG_LEVEL: 'silent' }
    await using worker = await startProgram<{ healthPort: number }>(workerProgram, {
      env,
      stopTimeoutMs: 60_000,
    })
    await using client = await openClient({ url: redis.url, ca: redis.ca })
    expect(await (await client.send(add, { a: 1, b: 2 })).get({ timeoutMs: 60_000 })).toBe(3)
    await until(async () => (await fetch(`http://127.0.0.1:${worker.info.healthPort}/ready`)).status === 200, patient)
    expect(await worker.stop()).toEqual({ code: 0, signal: null })
  })

  it('says that it is not ready while Redis is away, is again when it is back, and is not while it ends', async () => {
    await using redis = await startRedis({ own: true, appendOnly: true })
    await using worker = await startProgram<{ healthPort: number }>(workerProgram, {
      env: { REDIS_URL: redis.url, LOG_LEVEL: 'silent' },
    })
    const ready = async () => {
      const response = await fetch(`http://127.0.0.1:${worker.info.healthPort}/ready`)
      return (await response.json()) as { ok: boolean; ending: boolean }
    }
    // On a busy machine, Redis may not answer in time.
    const idle = await until(async () => {
      const state = await ready()
      return state.ok && state
    }, patient)
    expect(idle).toMatchObject({ ending: false, redis: 'PONG', queues: ['default'], running: 0 })
    await redis.server?.stop()
    expect(await ready()).toMatchObject({ ok: false, ending: false })
    expect((await fetch(`http://127.0.0.1:${worker.info.healthPort}/live`)).status).toBe(200)
    await redis.restart()
    await until(async () => (await ready()).ok, patient)

    await using client = await openClient({ url: redis.url })
    const result = await client.send(nap, { ms: 600_000 })
    await until(async () => (await result.state()) === 'running', patient)
    await shutdown(client, patient)
    const ending = await until(async () => {
      const state = await ready()
      return state.ending && state
    }, patient)
    expect(ending).toMatchObject({ ok: false })
    await revoke(client, [result], { terminate: true })
    expect(await worker.exited).toEqual({ code: 0, signal: null })
  })
})

describeReal('the systemd unit', needSystemd, () => {
  it('is one that systemd accepts, also with paths that have spaces and signs of its own', async () => {
    await using folder = await temporaryFolder()
    const file = join(folder.path, 'celery-worker@.service')
    const options = { folder: '/srv/my 100%h book', environmentFile: '/etc/celery-worker.env', stopSeconds: 45 }
    const odd = join(folder.path, 'a 100%h $b')
    await symlink(process.execPath, odd)
    await writeFile(file, serviceUnit({ ...options, node: odd }))
    const { stderr } = await promisify(execFile)('systemd-analyze', ['verify', '--man=no', file])
    expect(stderr).toBe('')
    await writeFile(file, serviceUnit({ ...options, node: '/nowhere/node' }))
    await expect(promisify(execFile)('systemd-analyze', ['verify', '--man=no', file])).rejects.toThrow('/nowhere/node')
  })
})

describe('production', () => {
  it.each([
    ['--tasks', '0'],
    ['--nap', '-5'],
    ['--sample', 'many'],
  ])('refuses %s %s', async (option, value) => {
    const { code, stderr } = await said('production', [option, value])
    expect(code).toBe(2)
    expect(stderr).toMatch(new RegExp(`^error: ${option}: received "${value}"; accepts .*\n$`))
  })
})
