/** echo as a reader runs it. The other examples of the tour, which show what functions are tested for, are long. */
import { readdir } from 'node:fs/promises'
import { basename } from 'node:path'
import { startProgram } from '@repo/common/process/child'
import { runExample } from '@repo/common/testing/testing'
import { afterEach, describe, expect, it, vi } from 'vitest'
import echo from '../../examples/echo.ts'
import { describeRedis, useLayer } from '../fixtures/layer.ts'
import { examples, said } from '../fixtures/said.ts'

const chapter = new URL('../..', import.meta.url).pathname
const layer = useLayer()

describeRedis('echo', () => {
  afterEach(() => void vi.unstubAllEnvs())

  it('sends a text there and back, and shows what happened in between', async () => {
    const args = ['--quick', '--json', '--text', 'Grüße 👋']
    const run = await runExample(chapter, 'echo', args, { env: { REDIS_URL: undefined } })
    expect(run, run.stderr).toMatchObject({ code: 0 })
    expect(await run.leftBehind()).toEqual([])
    const result = run.json<{ id: string; events: { type: string; at: number }[] }>()
    expect(result).toMatchObject({ sent: 'Grüße 👋', received: 'Grüße 👋', state: 'succeeded', times: 100 })
    expect(result.events.map(({ type }) => type)).toEqual(['sent', 'started', 'succeeded'])
    expect(result.id).toMatch(/^default\.[\w-]+\.1$/)
  })

  it('uses a worker that is already running', async () => {
    const env = { REDIS_URL: layer.redis.url }
    const program = new URL('../../src/tasks/worker.program.ts', import.meta.url)
    await using _worker = await startProgram(program, {
      args: ['--name', 'of-the-reader'],
      env,
    })
    vi.stubEnv('REDIS_URL', layer.redis.url)
    expect(await echo.run({ times: 1 })).toMatchObject({ received: 'hello', workers: ['of-the-reader'] })
  })

  it('starts its own worker on a Redis without one, and leaves no key there', async () => {
    const { redis } = await layer.openClient()
    await redis.flushall()
    vi.stubEnv('REDIS_URL', layer.redis.url)
    expect(await echo.run({ times: 1 })).toMatchObject({ received: 'hello' })
    expect(await redis.keys('celery*')).toEqual([])
  })

  it('refuses what it cannot send', async () => {
    const { code, stdout, stderr } = await said('echo', ['--times', '0'])
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' })
    expect(stderr).toBe('error: --times: received "0"; accepts a whole number from 1 to 10000\n')
  })
})

describe('--help', () => {
  it('says for every example what it shows and how to run it', async () => {
    for (const file of await readdir(examples)) {
      const name = basename(file, '.ts')
      const { code, stdout, stderr } = await said(name, ['--help'])
      expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
      for (const part of [`${name}: `, `start ${name}`, '--json']) expect(stdout).toContain(part)
    }
  })
})
