import { once } from 'node:events'
import { type AddressInfo, connect, createServer } from 'node:net'
import { Worker } from 'node:worker_threads'
import { describe, expect, it } from 'vitest'
import { startLadder } from '../src/ladder.ts'
import { askWakeUps } from '../src/wakeups.ts'
import { startWan } from '../src/wan.ts'

const withoutWan = ({ name }: { name: string }) => !name.startsWith('wide-area')

describe('the ladder', () => {
  it('has a measured time on every rung', async () => {
    await using ladder = await startLadder()
    const { rungs, missing } = ladder
    expect(rungs.length + missing.length).toBe(9)
    for (const { measure } of rungs.filter(withoutWan)) {
      const times = await measure(20)
      expect(times).toHaveLength(20)
      for (const ns of times) expect(ns).toBeGreaterThan(0)
    }
    const far = await rungs.find((rung) => !withoutWan(rung))?.measure(1)
    // No byte can have come back before its two timers.
    for (const ns of far ?? []) expect(ns).toBeGreaterThan(99e6)
  })

  it('leaves Redis out, and says how to install it, where there is none', async () => {
    const { PATH, REDIS_URL, REDISMS_DOWNLOAD_DIR } = process.env
    try {
      Object.assign(process.env, { PATH: '/nowhere', REDIS_URL: '', REDISMS_DOWNLOAD_DIR: '/nowhere' })
      await using ladder = await startLadder()
      expect(ladder.rungs.map(({ name }) => name)).not.toContain('Redis PING')
      expect(ladder.missing).toEqual([expect.stringMatching(/^Redis PING: install a server with .*redis/)])
    } finally {
      for (const [name, value] of Object.entries({ PATH, REDIS_URL, REDISMS_DOWNLOAD_DIR })) {
        if (value === undefined) delete process.env[name]
        else process.env[name] = value
      }
    }
  })
})

it('wakes another thread up and is woken up by it, as often as wanted', async () => {
  const worker = new Worker(new URL('../src/echo.worker.ts', import.meta.url))
  try {
    await once(worker, 'message')
    const turn = new Int32Array(new SharedArrayBuffer(4))
    for (const times of [1, 1_000]) {
      worker.postMessage({ turn, times })
      expect(askWakeUps({ turn, times })).toHaveLength(times)
      expect(turn[0]).toBe(0)
    }
  } finally {
    await worker.terminate()
  }
})

describe('the simulated wide-area network', () => {
  it('hands on what is sent, in order and in both directions, and the end of it', async () => {
    const server = createServer((socket) => socket.pipe(socket)).listen(0, '127.0.0.1')
    await once(server, 'listening')
    await using wan = await startWan((server.address() as AddressInfo).port, 20)
    const socket = connect(wan.port, '127.0.0.1')
    const sent = Array.from({ length: 500 }, (_, at) => `line ${at}\n`)
    for (const line of sent) socket.write(line)
    socket.end()
    let received = ''
    for await (const data of socket.setEncoding('utf8')) received += data
    expect(received).toBe(sent.join(''))
    server.close()
  })

  it('closes its connections when it ends', async () => {
    const server = createServer(() => {}).listen(0, '127.0.0.1')
    await once(server, 'listening')
    const wan = await startWan((server.address() as AddressInfo).port, 1)
    const socket = connect(wan.port, '127.0.0.1')
    await once(socket, 'connect')
    const closed = once(socket.resume(), 'close')
    await wan[Symbol.asyncDispose]()
    await closed
    server.close()
  })
})
