import { once } from 'node:events'
import { Worker } from 'node:worker_threads'
import { expect, it } from 'vitest'
import { startBlockingFetch } from '../../src/pages/blocking-fetch.ts'
import { startSlowServer } from '../../src/pages/slow-server.ts'

it('does not take an error for a page', async () => {
  // On a thread of its own: this one sleeps while the page is fetched.
  const server = new Worker(
    `const { parentPort } = require('node:worker_threads')
    const server = require('node:http').createServer((request, response) => response.writeHead(503).end('busy'))
    server.listen(0, '127.0.0.1', () => parentPort.postMessage(server.address().port))`,
    { eval: true, execArgv: [] },
  )
  const [port] = await once(server, 'message')
  await using blocking = await startBlockingFetch(`http://127.0.0.1:${port}`, {
    timeoutMs: 60_000,
    retries: 1,
    backOffMs: 1,
  })
  expect(blocking.fetchPage(0)).toMatchObject({ ok: false, bytes: 0, failures: ['answered 503', 'answered 503'] })
  await server.terminate()
})

it('blocks the thread until the pages have arrived', async () => {
  await using server = await startSlowServer({ seed: 1, latencyMs: 20, failRate: 0 })
  await using blocking = await startBlockingFetch(server.url, { timeoutMs: 60_000, retries: 0, backOffMs: 1 })
  let turned = false
  setImmediate(() => {
    turned = true
  })
  const pages = [blocking.fetchPage(0), blocking.fetchPage(1)]
  expect(turned).toBe(false)
  expect(pages).toMatchObject([{ ok: true }, { ok: true }])
  expect(pages[0]?.bytes).not.toBe(pages[1]?.bytes)
})
