/** The tasks on PostgreSQL in the process, with no Redis anywhere. */
import { once } from 'node:events'
import { connect } from 'node:net'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { runExample, until } from '@repo/common/testing/testing'
import { AsyncDisposableStack } from '@whatwg-node/disposablestack'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { z } from 'zod'
import { openPostgresClient, startPostgresWorker } from '../../src/postgres/layer.ts'
import { type PostgresServer, startPostgres } from '../../src/postgres/postgres.ts'
import { defineTask } from '../../src/queue/task.ts'
import { add } from '../../src/tasks/index.ts'
import { convert } from '../../src/tasks/tour.ts'
import { said } from '../fixtures/said.ts'

const chapter = fileURLToPath(new URL('../..', import.meta.url))
/** Neither named nor to be found. */
const noRedis = {
  REDIS_URL: undefined,
  REDIS_SERVER: undefined,
  PATH: dirname(process.execPath),
  REDISMS_DOWNLOAD_DIR: '/nowhere',
}
const patient = { timeoutMs: 60_000 }

describe('PostgreSQL in the process', () => {
  let server: PostgresServer
  let stack: AsyncDisposableStack
  beforeAll(async () => {
    stack = new AsyncDisposableStack()
    server = stack.use(await startPostgres())
  })
  afterAll(async () => await stack.disposeAsync())

  it('answers each connection what that one asked, however the messages of several come in between', async () => {
    const clients = await Promise.all(
      Array.from({ length: 6 }, async (_, at) =>
        stack.use(await openPostgresClient(server.connection, { queue: `q${at}` })),
      ),
    )
    // Of different lengths and numbers of values, some in many packets.
    const asked = clients.flatMap(({ query }, at) =>
      Array.from({ length: 20 }, async (_, round) => {
        const text = `${at}.${round}:`.padEnd(at % 2 === 0 ? 300_000 : 10, 'x')
        const sql = at % 3 === 0 ? 'select $1::text as text' : 'select $1::text as text, $2::int as n'
        const [row] = await query(sql, at % 3 === 0 ? [text] : [text, round])
        expect(row).toEqual(at % 3 === 0 ? { text } : { text, n: round })
      }),
    )
    await Promise.all(asked)
  })

  it('keeps a transaction together, and rolls it back when its client is gone', async () => {
    const client = stack.use(await openPostgresClient(server.connection, { queue: 'other' }))
    await client.query('create table public.marks (mark text)')
    const { host, port } = server.connection
    const socket = connect(process.platform === 'win32' ? { host, port } : { path: join(host, `.s.PGSQL.${port}`) })
    await once(socket, 'connect')
    const parameters = Buffer.from('user\0postgres\0database\0postgres\0\0')
    const startup = Buffer.alloc(8)
    startup.writeInt32BE(8 + parameters.length, 0)
    startup.writeInt32BE(196_608, 4)
    socket.write(Buffer.concat([startup, parameters]))
    let received = ''
    socket.on('data', (data) => {
      received += data.toString('latin1')
    })
    const simple = (sql: string) => {
      const head = Buffer.alloc(5)
      head.write('Q')
      head.writeInt32BE(4 + sql.length + 1, 1)
      socket.write(Buffer.concat([head, Buffer.from(`${sql}\0`)]))
    }
    await until(() => received.includes('Z\0\0\0\x05I'))
    simple("begin; insert into public.marks values ('half')")
    await until(() => received.includes('INSERT'))
    let counted: unknown
    const counting = client.query('select count(*)::int as n from public.marks').then(([row]) => {
      counted = row
    })
    // It waits for the transaction of the other; whose next message is answered before it.
    simple("insert into public.marks values ('other half')")
    await until(() => received.split('INSERT').length > 2)
    expect(counted).toBe(undefined)
    socket.destroy()
    await counting
    expect(counted).toEqual({ n: 0 })
  })

  it('runs the tasks of the layer: results, failures with their stacks, retries, arguments checked on both sides', async () => {
    const queue = 'layer'
    const flaky = defineTask({
      name: 'flaky',
      args: z.object({}),
      retries: { max: 2, baseMs: 1 },
      run: (_, { attempt }) => {
        if (attempt < 3) throw new Error(`not at attempt ${attempt}`)
        return attempt
      },
    })
    const narrow = defineTask({ name: 'narrow', args: z.object({ n: z.int().max(3) }), run: ({ n }) => n })
    const wide = { ...narrow, args: z.object({ n: z.int() }) }
    const needsRedis = defineTask({ name: 'needs-redis', args: z.object({}), run: (_, { redis }) => redis.ping() })
    const stranger = defineTask({ name: 'stranger', args: z.object({}) })
    stack.use(
      await startPostgresWorker(server.connection, {
        queue,
        name: 'in this process',
        tasks: [add, convert, flaky, narrow, needsRedis],
      }),
    )
    const client = stack.use(await openPostgresClient(server.connection, { queue }))
    const sums = await client.sendMany(add, [
      { a: 1, b: 2 },
      { a: 3, b: 4 },
    ])
    expect(await Promise.all(sums.map((sum) => sum.get(patient)))).toEqual([3, 7])
    expect(await (await client.send(flaky, {})).get(patient)).toBe(3)
    const fails = async (sent: Promise<{ get: (options: object) => Promise<unknown> }>) =>
      await (await sent).get(patient).then(
        () => 'succeeded',
        (error) => error,
      )
    expect(await fails(client.send(convert, { amount: 1, rate: 0 }))).toMatchObject({
      name: 'TaskFailed',
      remoteName: 'RangeError',
      remoteStack: expect.stringContaining('tour-tasks.ts'),
    })
    expect(await fails(client.send(wide, { n: 4 }))).toMatchObject({ remoteName: 'InvalidArguments' })
    expect(await fails(client.send(needsRedis, {}))).toMatchObject({
      message: expect.stringContaining('no Redis here'),
    })
    expect(await fails(client.send(stranger, {}))).toMatchObject({ remoteName: 'UnknownTask' })
    await expect(client.send(narrow, { n: 4 })).rejects.toThrow('narrow: n: ')
    const unserved = stack.use(await openPostgresClient(server.connection, { queue: 'nobody' }))
    await expect((await unserved.send(add, { a: 1, b: 1 })).get({ timeoutMs: 50 })).rejects.toThrow('within 50 ms')
  })
})

describe('no-redis', () => {
  it('works where there is no Redis, and leaves nothing behind', async () => {
    const run = await runExample(chapter, 'no-redis', ['--quick', '--json', '--tasks', '100'], { env: noRedis })
    expect(run, run.stderr).toMatchObject({ code: 0 })
    const result = run.json<{ postgresPerSecond: number; killed: string; finisher: string }>()
    expect(result).toMatchObject({ tasks: 100, workers: 2, error: expect.stringContaining('a rate of -1 cannot be') })
    expect(result).not.toHaveProperty('redisPerSecond')
    expect(result.postgresPerSecond).toBeGreaterThan(0)
    expect([result.killed, result.finisher].sort()).toEqual(['worker 1', 'worker 2'])
    expect(await run.leftBehind()).toEqual([])
  })

  it('is what mergesort runs on where there is no Redis, and says so first', async () => {
    const run = await runExample(chapter, 'mergesort', ['--quick', '--n', '20000', '--workers', '2'], { env: noRedis })
    expect(run, run.stderr).toMatchObject({ code: 0 })
    expect(run.stdout.split('\n')[0]).toContain('PostgreSQL in this process, for there is no Redis')
    expect(await run.leftBehind()).toEqual([])
  })

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
