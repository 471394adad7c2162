import { once } from 'node:events'
import { createServer } from 'node:net'
import { inspect } from 'node:util'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { until } from '../../src/async/until.ts'
import { describeError } from '../../src/example/usage.ts'
import { freePort } from '../../src/process/ports.ts'
import { connectRedis, withoutCommand } from '../../src/servers/connect.ts'
import { findRedisServer, installRedis, type RedisServer, startRedis } from '../../src/servers/redis.ts'
import { describeReal } from '../../src/testing/vitest.ts'

const need = { name: 'a Redis server', found: await findRedisServer(), install: installRedis }

/** Returns the error, and everything that can be seen of it. */
async function failure(url: string) {
  const error = await connectRedis(url).then(
    () => expect.unreachable('it connected'),
    (reason: unknown) => reason,
  )
  return { line: describeError(error), all: inspect(error, { depth: Infinity, showHidden: true }) }
}

describeReal('a connection to Redis', need, () => {
  let server: RedisServer
  beforeAll(async () => {
    server = await startRedis({ own: true })
  })
  afterAll(() => server[Symbol.asyncDispose]())

  it('answers', async () => {
    const redis = await connectRedis(server.url)
    expect(await redis.echo('yes')).toBe('yes')
    redis.disconnect()
  })

  it('that is refused says why, and holds the password nowhere', async () => {
    const { line, all } = await failure(`redis://app:hunter2@127.0.0.1:${server.port}`)
    expect(line).toMatch(
      /^error: Redis at redis:\/\/app:\*\*\*@127\.0\.0\.1:\d+ cannot be used: WRONGPASS invalid username-password pair/,
    )
    expect(all).not.toContain('hunter2')
  })

  it('without the password says so', async () => {
    expect((await failure(`redis://127.0.0.1:${server.port}`)).line).toContain('NOAUTH')
  })

  it('of a user who may do nothing fails, and is closed', async () => {
    const redis = await connectRedis(server.url)
    await redis.call('ACL', 'SETUSER', 'guest', 'on', 'nopass', '+info')
    expect((await failure(`redis://guest:x@127.0.0.1:${server.port}`)).line).toContain('NOPERM')
    await until(async () => !/ user=guest /.test(String(await redis.client('LIST'))), { timeoutMs: 5_000 })
    redis.disconnect()
  })

  it('takes the arguments out of the error of a command', async () => {
    const redis = await connectRedis(server.url)
    const error = await redis.call('SET', 'key', 'hunter2', 'EX', 'never').catch(withoutCommand)
    redis.disconnect()
    expect(error).toMatchObject({ name: 'ReplyError', message: expect.stringContaining('not an integer') })
    expect(inspect(error)).not.toContain('hunter2')
  })
})

it.each([undefined, null, 'text'])('leaves alone what is no error: %s', (thrown) => {
  expect(withoutCommand(thrown)).toBe(thrown)
})

it('says that nobody listens, for a name with several addresses too', async () => {
  const port = await freePort()
  for (const host of ['127.0.0.1', 'localhost']) {
    const { line } = await failure(`redis://:hunter2@${host}:${port}`)
    expect(line).toMatch(
      new RegExp(
        String.raw`^error: Redis at redis://:\*\*\*@${host}:${port} cannot be used: connect ECONN.* 127.0.0.1`,
      ),
    )
  }
})

it('says that what answers is not Redis', async () => {
  const server = createServer((socket) => socket.on('error', () => {}).end('HTTP/1.1 400 Bad Request\r\n\r\n'))
  await once(server.listen(0, '127.0.0.1'), 'listening')
  const address = server.address()
  const port = typeof address === 'object' ? address?.port : undefined
  try {
    expect((await failure(`redis://127.0.0.1:${port}`)).line).toMatch(/cannot be used: Unknown RESP type 72 "H"/)
  } finally {
    server.close()
  }
})
