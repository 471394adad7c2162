import { describe, expect, it, vi } from 'vitest'
import { openCloud } from '../../src/session/open.ts'
import { messageOf } from '../fixtures/http-faults.ts'

describe('contradictory settings', () => {
  async function withEnvironment(settings: NodeJS.ProcessEnv, work: () => Promise<void>) {
    for (const [name, value] of Object.entries(settings)) vi.stubEnv(name, value)
    try {
      await work()
    } finally {
      vi.unstubAllEnvs()
    }
  }

  it('are refused, with passwords masked', async () => {
    await withEnvironment({ AWS_ENDPOINT_URL: 'not a url' }, async () => {
      expect(await messageOf(openCloud())).toContain('AWS_ENDPOINT_URL: received "not a url"; accepts a URL')
    })
    await withEnvironment({ AWS_ENDPOINT_URL: 'http://user:hidden@127.0.0.1:1' }, async () => {
      const message = await messageOf(openCloud({ aws: true }))
      expect(message).toContain(
        '--aws: received "with AWS_ENDPOINT_URL=http://user:***@127.0.0.1:1"; accepts one of the two',
      )
    })
  })

  it('that name a store and no queues leave the queues to the practice cloud', async () => {
    await withEnvironment({ AWS_ENDPOINT_URL_S3: 'http://127.0.0.1:1' }, async () => {
      await using cloud = await openCloud()
      expect(cloud.places.storage).toMatchObject({ kind: 'endpoint', url: 'http://127.0.0.1:1' })
      expect(cloud.places.storage.credentials).toBeUndefined()
      expect(cloud.places.queues.kind).toBe('practice')
    })
  })
})
