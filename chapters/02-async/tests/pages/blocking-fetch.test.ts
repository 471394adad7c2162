import { expect, it } from 'vitest'
import { startBlockingFetch } from '../../src/pages/blocking-fetch.ts'
import { startSlowServer } from '../../src/pages/slow-server.ts'

it('blocks the thread until the pages have arrived', async () => {
  await using server = await startSlowServer({ seed: 1, latencyMs: 20, failRate: 0 })
  await using blocking = await startBlockingFetch(server.url, { timeoutMs: 5_000, retries: 0, backOffMs: 1 })
  let turned = false
  setImmediate(() => {
    turned = true
  })
  const pages = [blocking.fetchPage(0), blocking.fetchPage(1)]
  expect(turned).toBe(false)
  expect(pages).toMatchObject([{ ok: true }, { ok: true }])
  expect(pages[0]?.bytes).not.toBe(pages[1]?.bytes)
})
