/** What a stranger may put into the logs of the pipeline. */
import { readFile } from 'node:fs/promises'
import { temporaryFolder } from '@repo/common/process/temporary'
import { Hono } from 'hono'
import { describe, expect, it, vi } from 'vitest'
import { correlationOf } from '../../src/pipeline/instruments.ts'
import { logFile, watchLogs } from '../../src/watch/logs.ts'

describe('a correlation id', () => {
  it('that a stranger sends is kept only when it is short and visible', () => {
    for (const kept of ['shop-order-1', '~'.repeat(64)]) expect(correlationOf(kept)).toBe(kept)
    for (const given of [undefined, '', 'x'.repeat(65), 'two words', '\u001b[2J', 'ä'])
      expect(correlationOf(given)).toMatch(/^[\w-]{36}$/)
  })
})

describe('the log of a process', () => {
  it('shortens what a stranger sends, and masks its secrets', async () => {
    await using folder = await temporaryFolder()
    vi.stubEnv('LOG_LEVEL', 'debug')
    const { routes, close } = watchLogs({ name: 'front', kind: 'front', now: Date.now, prefix: '' }, folder.path)
    vi.unstubAllEnvs()
    const app = new Hono()
    routes?.(app)
    const headers = { 'user-agent': 'x'.repeat(9_000), authorization: 'Bearer sesame', 'x-api-key': 'sesame' }
    await app.request(`/orders/${'y'.repeat(9_000)}?token=sesame`, { headers })
    await close?.()
    const text = await readFile(logFile(folder.path, 'front'), 'utf8')
    expect(text).toContain('/orders/yyy')
    expect(text).not.toContain('sesame')
    expect(text.length).toBeLessThan(2_500)
  })
})
