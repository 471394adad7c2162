import { getEventListeners } from 'node:events'
import { expect, it } from 'vitest'
import { aborted } from '../../src/async/abort.ts'

it('rejects with the reason of its signal, before and after the abort, with one listener', async () => {
  const controller = new AbortController()
  const stopped = aborted(controller.signal)
  expect(await Promise.race([stopped, Promise.resolve('work')])).toBe('work')
  expect(getEventListeners(controller.signal, 'abort')).toHaveLength(1)
  const reason = new Error('enough')
  controller.abort(reason)
  await expect(stopped).rejects.toBe(reason)
  await expect(aborted(controller.signal)).rejects.toBe(reason)
})
