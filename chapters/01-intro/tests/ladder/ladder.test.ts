import { once } from 'node:events'
import { Worker } from 'node:worker_threads'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { startLadder } from '../../src/ladder/ladder.ts'
import { askWakeUps } from '../../src/ladder/wakeups.ts'

afterEach(() => {
  vi.unstubAllEnvs()
})

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
    // No byte can have come back before its time.
    for (const ns of far ?? []) expect(ns).toBeGreaterThan(99e6)
  })

  it('leaves Redis out, and says how to install it, where there is none', async () => {
    for (const name of ['PATH', 'REDISMS_DOWNLOAD_DIR']) vi.stubEnv(name, '/nowhere')
    for (const name of ['REDIS_URL', 'REDIS_SERVER']) vi.stubEnv(name, undefined)
    await using ladder = await startLadder()
    expect(ladder.rungs.map(({ name }) => name)).not.toContain('Redis PING')
    expect(ladder.missing).toEqual([expect.stringMatching(/^Redis PING: install a server with .*redis/)])
  })

  it('fails, and does not wait for ever, where no process can be started', async () => {
    const { execPath } = process
    process.execPath = '/nowhere/node'
    try {
      await expect(startLadder()).rejects.toThrow('ENOENT')
    } finally {
      process.execPath = execPath
    }
  })
})

it('wakes another thread up and is woken up by it, as often as wanted', async () => {
  const worker = new Worker(new URL('../../src/ladder/echo.worker.ts', import.meta.url))
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
