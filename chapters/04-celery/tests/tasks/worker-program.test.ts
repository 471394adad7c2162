/** The worker as a program: what it needs, what it refuses, how it ends. */

import { until } from '@repo/common/async/until'
import { parseCommandLine, parseOptions } from '@repo/common/example/command-line'
import { UsageError } from '@repo/common/example/usage'
import { startProgram } from '@repo/common/process/child'
import { startRedis } from '@repo/common/servers/redis'
import { runProgram } from '@repo/common/testing/testing'
import { describe, expect, it } from 'vitest'
import { ask, stats } from '../../src/queue/control.ts'
import { revoke } from '../../src/queue/revoke.ts'
import { nap } from '../../src/tasks/tour.ts'
import { options } from '../../src/tasks/worker-options.ts'
import { describeRedis, useLayer } from '../fixtures/layer.ts'
import { chapter, expectCleanEnd, workerProgram } from '../fixtures/worker-program.ts'

const layer = useLayer()

describe('the options of the worker program', () => {
  const read = (words: string[]) => {
    const { values } = parseCommandLine(options, words, { switches: {}, takesOperands: false })
    return parseOptions(options, values)
  }

  it.each([
    [['--concurrency', '0'], '--concurrency: received "0"; accepts a whole number from 1 to 10000'],
    [['--autoscale', '9,2'], '--autoscale: received "9,2"; accepts MIN,MAX with MIN not above MAX'],
    [['--queues', 'a,a'], '--queues: received "a,a"; accepts 1 to 100 names of queues, each once'],
    [
      [
        '--queues',
        Array(101)
          .fill('q')
          .map((q, at) => q + at)
          .join(),
      ],
      '; accepts 1 to 100 names of queues, each once',
    ],
    [['--que', 'a'], 'option: received "--que"; accepts --tasks, --queues, --concurrency'],
    [['now'], 'operand: received "now"; accepts no operands'],
  ])('refuse %j', (words, line) => {
    expect(() => read(words)).toThrow(UsageError)
    expect(() => read(words)).toThrow(line)
  })
})

describeRedis('the worker program', () => {
  const run = async (args: string[], env: NodeJS.ProcessEnv = {}) =>
    await runProgram(workerProgram, args, { cwd: chapter, env: { REDIS_URL: undefined, ...env } })

  it('says what it needs', async () => {
    const { code, stderr } = await run([])
    expect([code, stderr]).toEqual([
      2,
      'error: REDIS_URL: received nothing; accepts the Redis that senders use too, as redis://[user:password@]host[:port]\n',
    ])
  })

  it('ends cleanly with Ctrl-C: running tasks are finished', () => expectCleanEnd(layer, 'SIGINT'))

  it('is scaled between its bounds, and remote control shuts it down', async () => {
    await using redis = await startRedis()
    const program = new URL('../../src/tasks/worker.program.ts', import.meta.url)
    const args = ['--autoscale', '1,4', '--prefix', layer.prefix]
    await using worker = await startProgram(program, { args, env: { REDIS_URL: redis.url } })
    const client = await layer.openClient({ url: redis.url })
    const patient = { timeoutMs: 60_000 }
    const concurrency = async () => (await stats(client, patient))[0]?.concurrency
    expect(await concurrency()).toBe(1)
    const sent = await client.sendMany(nap, Array(8).fill({ ms: 600_000 }))
    // One, two, and then no more than four.
    await until(async () => (await concurrency()) === 4, patient)
    expect(await client.queue('default').getActiveCount()).toBeLessThanOrEqual(4)
    await revoke(client, sent, { terminate: true })
    await ask(client, { command: 'shutdown' })
    expect(await worker.exited).toEqual({ code: 0, signal: null })
  })
})
