import { AsyncDisposableStack } from '@whatwg-node/disposablestack'
import { expect, it } from 'vitest'
import { startAll } from '../../src/process/start-all.ts'

/** Things that start when they are told to, and a list of those that were stopped. */
function starters(count: number) {
  const stopped: number[] = []
  const starting = Array.from({ length: count }, () => Promise.withResolvers<AsyncDisposable>())
  const start = (at: number) => starting[at]?.resolve({ [Symbol.asyncDispose]: async () => void stopped.push(at) })
  return { starting, start, stopped }
}

it('returns all when they have started, and stops them with the stack', async () => {
  const { starting, start, stopped } = starters(2)
  const stack = new AsyncDisposableStack()
  const all = startAll(
    stack,
    starting.map(({ promise }) => promise),
  )
  for (const at of [1, 0]) start(at)
  expect(await all).toHaveLength(2)
  await stack.disposeAsync()
  expect(stopped.sort()).toEqual([0, 1])
})

it('when one fails, stops the others too, even one that starts later', async () => {
  const { starting, start, stopped } = starters(3)
  const stack = new AsyncDisposableStack()
  const all = startAll(
    stack,
    starting.map(({ promise }) => promise),
  )
  start(0)
  starting[1]?.reject(new Error('no memory'))
  await expect(all).rejects.toThrow('no memory')
  const disposed = stack.disposeAsync()
  start(2)
  await disposed
  expect(stopped.sort()).toEqual([0, 2])
})
