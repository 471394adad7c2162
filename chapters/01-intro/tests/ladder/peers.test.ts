import { afterEach, describe, expect, it, vi } from 'vitest'
import { measure } from '../../src/ladder/ladder.ts'
import { answerOf, echo, startPeers } from '../../src/ladder/peers.ts'
import { wakeUp } from '../../src/ladder/wake-up.ts'

afterEach(() => {
  vi.unstubAllEnvs()
})

describe('the peers', () => {
  it('answer', async () => {
    await using peers = await startPeers()
    const { turn, worker, pipe, near, far, redis } = peers
    for (let times = 0; times < 1_000; times++) wakeUp(turn)
    expect(turn[0]).toBe(0)
    expect(await answerOf(worker)).toBe('there')
    for (let times = 0; times < 20; times++) {
      await echo(pipe.stdin, pipe.stdout)
      await echo(near, near)
    }
    expect(await redis?.ping()).toBe('PONG')
    // No byte can have come back before its time.
    const times = await measure({ name: 'far', trip: far.map((socket) => () => echo(socket, socket)) }, 1)
    expect(times).toHaveLength(20)
    for (const ns of times) expect(ns).toBeGreaterThan(99e6)
  })

  it('do without Redis where no server is installed', async () => {
    for (const name of ['PATH', 'REDISMS_DOWNLOAD_DIR']) vi.stubEnv(name, '/nowhere')
    for (const name of ['REDIS_URL', 'REDIS_SERVER']) vi.stubEnv(name, undefined)
    await using peers = await startPeers()
    expect(peers.redis).toBeUndefined()
  })

  it('fail at once where no process can be started', async () => {
    const { execPath } = process
    process.execPath = '/nowhere/node'
    try {
      await expect(startPeers()).rejects.toThrow('ENOENT')
    } finally {
      process.execPath = execPath
    }
  })
})
