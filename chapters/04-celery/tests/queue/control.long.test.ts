/** Revoking more tasks than a call in JavaScript may have arguments; control.test.ts revokes several portions of them. */
import { expect, it } from 'vitest'
import { revokedKey } from '../../src/queue/message.ts'
import { revoke } from '../../src/queue/revoke.ts'
import { describeRedis, useLayer } from '../fixtures/layer.ts'

const layer = useLayer()

describeRedis('revoking', () => {
  it('is done for any number of tasks', async () => {
    const client = await layer.openClient()
    const later = Array.from({ length: 150_000 }, (_, at) => ({ id: `default.later.${at}`, queue: 'default' }))
    await revoke(client, later)
    expect(await client.redis.zcard(revokedKey(layer.prefix))).toBe(150_000)
  })
})
