import { afterAll, beforeAll, expect, it } from 'vitest'
import { type SlowServer, startSlowServer } from '../../src/pages/slow-server.ts'
import { layers } from '../../src/tasks/layers.ts'

let server: SlowServer
beforeAll(async () => {
  server = await startSlowServer({ seed: 1, latencyMs: 1, failRate: 0 })
})
afterAll(() => server[Symbol.asyncDispose]())

it.each(Object.entries(layers))('a %s ends when its signal is aborted', async (_, run) => {
  const controller = new AbortController()
  const running = Promise.withResolvers<void>()
  const ended = run(server.url, controller.signal, running.resolve).catch((error: Error) => error.name)
  await running.promise
  controller.abort()
  expect(await ended).toBe('AbortError')
})
