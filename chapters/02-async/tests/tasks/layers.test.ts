import { expect, it } from 'vitest'
import { startSlowServer } from '../../src/pages/slow-server.ts'
import { layers } from '../../src/tasks/layers.ts'

it.each(Object.entries(layers))('a %s ends when its signal is aborted', async (_, run) => {
  await using server = await startSlowServer({ seed: 1, latencyMs: 1, failRate: 0 })
  const controller = new AbortController()
  const running = Promise.withResolvers<void>()
  const ended = run(server.url, controller.signal, running.resolve).catch((error: Error) => error.name)
  await running.promise
  controller.abort()
  expect(await ended).toBe('AbortError')
})
