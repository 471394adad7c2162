import { once } from 'node:events'
import { type AddressInfo, createServer } from 'node:net'
import { describe, expect, it, vi } from 'vitest'
import { freePort, isListening, onFreePorts, onOldPort } from '../../src/process/ports.ts'

// Lets a test choose the ports that freePort tries first. Another file may have loaded it in this process.
const tried = vi.hoisted((): number[] => {
  vi.resetModules()
  return []
})
vi.mock('node:crypto', async (original) => {
  const actual = await original<typeof import('node:crypto')>()
  return { ...actual, randomInt: (from: number, to: number) => tried.shift() ?? actual.randomInt(from, to) }
})

/** Listens on a port, and stops when disposed of. */
async function listenOn(port: number): Promise<Disposable> {
  const server = createServer().listen(port, '127.0.0.1')
  await once(server, 'listening')
  return { [Symbol.dispose]: () => void server.close() }
}

it('finds a port that can be listened on, below the ports of outgoing connections', async () => {
  const port = await freePort()
  expect(port).toBeGreaterThanOrEqual(20_000)
  expect(port).toBeLessThan(32_000)
  expect(await isListening(port)).toBe(false)
  using _server = await listenOn(port)
  expect(await isListening(port)).toBe(true)
})

it('has let go of what listens when it has found it', { timeout: 5_000 }, async () => {
  const server = createServer((socket) => void socket.resume()).listen(0, '127.0.0.1')
  await once(server, 'listening')
  expect(await isListening((server.address() as AddressInfo).port)).toBe(true)
  server.close()
  // Not before its last connection has ended.
  await once(server, 'close')
})

it('tries another port when one is taken, and has closed the one that it returns', async () => {
  const [taken, free] = [await freePort(), await freePort()]
  using _other = await listenOn(taken)
  tried.push(taken, taken, free)
  expect(await freePort()).toBe(free)
  using _server = await listenOn(free)
})

describe('a start on free ports', () => {
  it('is repeated with another port when its port has been taken', async () => {
    const taken = await freePort()
    using _other = await listenOn(taken)
    const ports = [taken, await freePort()]
    using _server = await onFreePorts(() => listenOn(ports.shift() ?? 0))
    expect(ports).toEqual([])
  })

  it('fails after five attempts, and at once for another reason', async () => {
    let calls = 0
    const failing = (message: string) => async () => {
      calls++
      throw new Error(message)
    }
    await expect(onFreePorts(failing('bind: Address already in use'))).rejects.toThrow('in use')
    expect(calls).toBe(5)
    await expect(onFreePorts(failing('no such file'))).rejects.toThrow('no such file')
    expect(calls).toBe(6)
  })
})

describe('a start on the old port', () => {
  it('waits until the port is free again', async () => {
    const port = await freePort()
    const other = await listenOn(port)
    let calls = 0
    using _server = await onOldPort(() => {
      if (++calls === 2) other[Symbol.dispose]()
      return listenOn(port)
    })
    expect(calls).toBeGreaterThanOrEqual(2)
  })

  it('fails after its time, and when it is aborted', async () => {
    const port = await freePort()
    using _other = await listenOn(port)
    await expect(onOldPort(() => listenOn(port), { timeoutMs: 0 })).rejects.toThrow('EADDRINUSE')
    await expect(onOldPort(() => listenOn(port), { signal: AbortSignal.abort() })).rejects.toThrow('aborted')
    await expect(onOldPort(() => listenOn(port), { timeoutMs: -1 })).rejects.toThrow('timeoutMs: received -1; accepts')
  })
})
