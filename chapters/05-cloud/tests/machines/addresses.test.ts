import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { describe, expect, it } from 'vitest'
import { addressRange, ownAddress } from '../../src/machines/addresses.ts'

describe('who may come in', () => {
  it.each(['203.0.113.7', '203.0.113.0/24', '10.0.0.0/16'])('may be %s', (text) => {
    expect(addressRange.parse(text)).toBe(text.includes('/') ? text : `${text}/32`)
  })

  it.each([
    '0.0.0.0/0',
    '0.0.0.0/1',
    '203.0.113.7/15',
    '::/0',
    'everybody',
    '',
    '203.0.113.7/33',
    '1.2.3.4/24/1',
    '1.2.3.4/-1',
  ])('may not be "%s"', (text) => {
    expect(addressRange.safeParse(text)).toMatchObject({ success: false })
  })
})

describe('the own address', () => {
  const signal = AbortSignal.timeout(10_000)
  async function asked(answer: string) {
    const server = createServer((_, response) => response.end(answer)).listen(0, '127.0.0.1')
    await new Promise((resolve) => server.once('listening', resolve))
    try {
      return await ownAddress(signal, `http://127.0.0.1:${(server.address() as AddressInfo).port}`)
    } finally {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    }
  }

  it('is the one that Amazon sees', async () => {
    expect(await asked('203.0.113.7\n')).toBe('203.0.113.7/32')
  })

  it('is asked for by name where nobody says it', async () => {
    for (const answer of ['<html>', '', '::1', '0.0.0.0/0']) {
      await expect(asked(answer)).rejects.toThrow(
        /does not say what your address is, but ".*": name it with --web-from/,
      )
    }
    await expect(ownAddress(signal, 'http://127.0.0.1:1')).rejects.toThrow('name it with --web-from')
  })
})
