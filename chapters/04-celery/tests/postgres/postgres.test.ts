/** The tasks on PostgreSQL in the process. The example itself is in no-redis.long.test.ts: a second PGlite. */
import { startProgram } from '@repo/common/process/child'
import { AsyncDisposableStack } from '@whatwg-node/disposablestack'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type PostgresServer, pglitePolling, Queue, QueueEvents, startPostgres } from '../../src/postgres/postgres.ts'
import { defaultQueue } from '../../src/queue/settings.ts'
import { said } from '../fixtures/said.ts'

describe('PostgreSQL in the process', () => {
  let server: PostgresServer
  let stack: AsyncDisposableStack
  beforeAll(async () => {
    stack = new AsyncDisposableStack()
    server = stack.use(await startPostgres())
  })
  afterAll(async () => await stack.disposeAsync())
  const openQueue = (name: string) =>
    stack.adopt(new Queue(name, { connection: server.connection }), (queue) => queue.close())

  it('answers each connection what it asked, even when the messages of several interleave', async () => {
    // Of different lengths and numbers of values, some in many packets.
    const asked = Array.from({ length: 6 }, (_, at) => openQueue(`q${at}`).getBackend().connection.pool).flatMap(
      (pool, at) =>
        Array.from({ length: 20 }, async (_, round) => {
          const text = `${at}.${round}:`.padEnd(at % 2 === 0 ? 100_000 : 10, 'x')
          const sql = at % 3 === 0 ? 'select $1::text as text' : 'select $1::text as text, $2::int as n'
          const { rows } = await pool.query(sql, at % 3 === 0 ? [text] : [text, round])
          expect(rows).toEqual([at % 3 === 0 ? { text } : { text, n: round }])
        }),
    )
    await Promise.all(asked)
  })

  it("runs the chapter's tasks in a worker: results, failures with their stacks, arguments that it has checked", async () => {
    const env = { POSTGRES: JSON.stringify(server.connection), REDIS_URL: undefined }
    const program = new URL('../../src/postgres/worker.program.ts', import.meta.url)
    stack.use(await startProgram(program, { args: ['worker 1', '30000'], env }))
    const queue = openQueue(defaultQueue)
    const { connection } = server
    const listener = new QueueEvents(defaultQueue, { connection, ...pglitePolling.events })
    const events = stack.adopt(listener, (events) => events.close())
    await events.waitUntilReady()
    const run = async (name: string, args: object) => {
      const job = await queue.add(name, { args, version: 1 })
      const outcome: unknown = await job.waitUntilFinished(events, 60_000).catch((error: Error) => error.message)
      return { outcome, stack: (await queue.getJob(job.id ?? ''))?.stacktrace?.at(-1) }
    }
    expect(await run('add', { a: 1, b: 2 })).toMatchObject({ outcome: 3 })
    expect(await run('convert', { amount: 1, rate: 0 })).toEqual({
      outcome: 'rate: received 0; accepts numbers above 0',
      stack: expect.stringMatching(/^RangeError: [\s\S]*tour\.ts/),
    })
    expect(await run('add', { a: 1, b: '2' })).toMatchObject({
      stack: expect.stringMatching(/^InvalidArguments: add: b/),
    })
    expect(await run('stranger', {})).toMatchObject({ stack: expect.stringMatching(/^UnknownTask: .*"stranger"/) })
    const call = { key: 'k', calls: 1, windowMs: 1 }
    expect(await run('call.jitter', call)).toMatchObject({ outcome: 'there is no Redis here' })
  })
})

describe('no-redis', () => {
  it.each([
    ['--workers', '1'],
    ['--tasks', '0'],
    ['--lock', '1'],
  ])('refuses %s %s', async (option, value) => {
    const { code, stderr } = await said('no-redis', [option, value])
    expect(code).toBe(2)
    expect(stderr).toMatch(new RegExp(`^error: ${option}: received "${value}"; accepts .*\n$`))
  })
})
