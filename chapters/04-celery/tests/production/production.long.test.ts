/** The example production by its result, in this process. */
import { readFile } from 'node:fs/promises'
import { findRedisServer, installRedis } from '@repo/common/servers/redis'
import { describeReal } from '@repo/common/testing/vitest'
import { afterEach, expect, it, vi } from 'vitest'
import production from '../../examples/production.ts'

const need = { name: 'a Redis server', found: await findRedisServer(), install: installRedis }

describeReal('production', need, () => {
  afterEach(() => void vi.unstubAllEnvs())

  it('loses nothing with the right settings, something without them, and refuses strangers', async () => {
    // A Redis that is named must not be touched: this one is not even there.
    vi.stubEnv('REDIS_URL', 'redis://127.0.0.1:1')
    const result = await production.run({ sample: 400 })
    expect(result).toMatchObject({
      full: { noeviction: { lost: 0, refusal: expect.stringContaining('is full') } },
      killed: { appendOnly: { accepted: 100, lost: 0 }, without: { accepted: 100, lost: 100 } },
      ended: {
        tasks: 12,
        running: 4,
        readyBefore: 200,
        readyAfter: 503,
        code: 0,
        doneThen: 4,
        done: 12,
        begunTwice: 0,
      },
      secured: { sum: 3 },
    })
    expect(result.full['allkeys-lru']?.lost).toBeGreaterThan(0)
    expect(result.secured?.refusals).toMatchObject({
      'connect without TLS': expect.not.stringMatching('allowed'),
      'trust a certificate that nobody has signed': expect.stringMatching(/self-signed certificate/),
      'connect without a name': expect.stringMatching(/^NOAUTH/),
      'connect with a wrong password': expect.stringMatching(/^WRONGPASS/),
      'FLUSHALL as the worker': expect.stringMatching(/^NOPERM/),
      'CONFIG as the worker': expect.stringMatching(/^NOPERM/),
      "read another program's key": expect.stringMatching(/^NOPERM/),
    })
    expect(result.memory.kept).toBeGreaterThan(result.memory.waiting)
    expect(await readFile(result.unit, 'utf8')).toContain('ExecStart=')
  })
})
