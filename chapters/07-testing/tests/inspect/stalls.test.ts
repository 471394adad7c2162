/** What blocks an event loop, and which thread computes. */
import { describe, expect, it } from 'vitest'
import { hotFunctions, takeCpuProfiles } from '../../src/inspect/cpu-profile.ts'
import { inspect } from '../../src/inspect/inspector.ts'
import { watchStalls, worstOf } from '../../src/inspect/stalls.ts'
import { startTarget } from './target.ts'

/** Returns the name of the function that blocks a program's event loop. */
async function culpritOf(source: string) {
  await using target = await startTarget({ 'target.mjs': source })
  await using inspector = await inspect(target.program, target.lines)
  const stalls = await watchStalls(inspector, { ms: 1_500, longerThanMs: 250, mustFind: true })
  return worstOf(stalls).frames[0]?.name
}

describe('an event loop is blocked', () => {
  it('by a child process that is waited for', async () => {
    const source = `
      import { execFileSync } from 'node:child_process'
      function waitForChild() { execFileSync(process.execPath, ['-e', 'setTimeout(() => {}, 500)']) }
      setInterval(waitForChild, 200)
    `
    // On Linux alone the system tells waiting for a child from waiting for a core.
    if (process.platform === 'linux') expect(await culpritOf(source)).toBe('waitForChild')
  })

  it('by a lock that another thread holds', async () => {
    const source = `
      const lock = new Int32Array(new SharedArrayBuffer(4))
      function waitForLock() { Atomics.wait(lock, 0, 0, 600) }
      setInterval(waitForLock, 200)
    `
    if (process.platform === 'linux') expect(await culpritOf(source)).toBe('waitForLock')
  })

  it('by a computation', async () => {
    const source = `
      function compute() {
        const begin = process.cpuUsage()
        let sum = 0
        while (process.cpuUsage(begin).user < 500_000) for (let at = 0; at < 1e6; at++) sum += Math.sqrt(at)
        return sum
      }
      setInterval(compute, 300)
    `
    expect(await culpritOf(source)).toBe('compute')
  })

  it('not by another thread that computes', async () => {
    const files = {
      'target.mjs':
        "import { Worker } from 'node:worker_threads'\nnew Worker(new URL('./grinder.mjs', import.meta.url))\n",
      'grinder.mjs':
        'let sum = 0\nfunction grind() { for (let at = 0; at < 1e7; at++) sum += Math.sqrt(at) }\nsetInterval(grind, 1)\n',
    }
    await using target = await startTarget(files)
    await using inspector = await inspect(target.program, target.lines)
    expect(await watchStalls(inspector, { ms: 700, longerThanMs: 250 })).toEqual([])
    // The profile has all threads.
    const threads = (await takeCpuProfiles(inspector, 500)).map(({ thread, profile, placeOf }) => {
      const { busy, functions } = hotFunctions(profile, placeOf)
      return { thread, busy, hot: functions[0]?.name }
    })
    expect(threads.map(({ thread }) => thread)).toEqual(['main thread', 'thread 1 (grinder.mjs)'])
    expect(threads[1]?.hot).toBe('grind')
    expect(threads[1]?.busy).toBeGreaterThan(threads[0]?.busy ?? 1)
  })
})
