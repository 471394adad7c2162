/** Writes that are held back: fewer of them, with the same commands in the same order, even over a lost connection. */
import { once } from 'node:events'
import { Redis } from 'ioredis'
import { expect, it } from 'vitest'
import { connect } from '../../src/queue/connect.ts'
import { batchWrites } from '../../src/worker/batch-writes.ts'
import { describeRedis, useLayer } from '../fixtures/layer.ts'

const layer = useLayer()

async function open(): Promise<Redis> {
  const redis = await connect(layer.redis.url)
  layer.use({ [Symbol.dispose]: () => redis.disconnect() })
  batchWrites(redis)
  return redis
}

/** Counts the writes of a socket: one for all commands that it holds back, else one for each command. */
function countWrites({ stream }: Redis): () => number {
  const { _write: write, _writev: writev } = stream
  let writes = 0
  stream._write = (...args) => {
    writes++
    write.apply(stream, args)
  }
  stream._writev = (...args) => {
    writes++
    writev?.apply(stream, args)
  }
  return () => writes
}

describeRedis('a connection whose writes are held back', () => {
  it('sends all commands of one turn in one write', async () => {
    const redis = await open()
    for (const time of ['on the connection that was there', 'on the one that took its place']) {
      const writes = countWrites(redis)
      const answers = await Promise.all(Array.from({ length: 200 }, (_, at) => redis.echo(String(at))))
      expect(writes(), time).toBe(1)
      expect(answers).toEqual(Array.from({ length: 200 }, (_, at) => String(at)))
      const again = once(redis, 'ready')
      redis.disconnect(true)
      await again
    }
  })

  it('may be one that is not ready yet', async () => {
    const redis = new Redis(layer.redis.url)
    layer.use({ [Symbol.dispose]: () => redis.disconnect() })
    await once(redis, 'connect')
    batchWrites(redis)
    await once(redis, 'ready')
    const writes = countWrites(redis)
    await Promise.all([redis.echo('1'), redis.echo('2')])
    expect(writes()).toBe(1)
  })

  it('loses no command when the connection dies', async () => {
    const [redis, killer] = [await open(), await open()]
    const id = await redis.client('ID')
    const key = `${layer.prefix}:set`
    const adding = Promise.all(Array.from({ length: 500 }, (_, at) => redis.sadd(key, String(at))))
    await killer.client('KILL', 'ID', id)
    await adding
    expect(await killer.scard(key)).toBe(500)
  })
})
