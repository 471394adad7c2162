import { expect, it } from 'vitest'
import { startProgram } from '../../src/process/child.ts'
import { startChildren } from '../../src/process/children.ts'
import { leavesNothingRunning } from '../../src/testing/vitest.ts'

const child = new URL('../fixtures/child.ts', import.meta.url)
const start = () => startProgram(child, { args: ['echo'] })

leavesNothingRunning()

it('processes have names, and are killed and started again by them', async () => {
  await using children = await startChildren(['a', 'b'], start)
  const { pid } = children.get('a')
  expect(pid).not.toBe(children.get('b').pid)
  expect(await children.get('a').kill()).toEqual({ code: null, signal: 'SIGKILL' })
  await children.restart('a')
  expect(children.get('a').pid).not.toBe(pid)
  expect(() => children.get('c')).toThrow('no process "c"; there are a, b')
})

it('when one fails to start, the others are stopped, and nothing starts any more', async () => {
  const starting = startChildren(['a', 'b'], async (name) => {
    if (name === 'a') return await start()
    throw new Error('no memory')
  })
  await expect(starting).rejects.toThrow('no memory')
})

it('one that starts while all are being stopped is stopped as well, and none can start afterwards', async () => {
  const children = await startChildren(['a'], start)
  await children.get('a').kill()
  const restarting = children.restart('a')
  await children[Symbol.asyncDispose]()
  await restarting
  expect(await children.get('a').exited).toMatchObject({ signal: 'SIGTERM' })
  await expect(children.restart('a')).rejects.toThrow('a has been stopped for good')
})
