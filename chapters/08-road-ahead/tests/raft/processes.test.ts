/** Raft as processes: the leader is killed and comes back, all lose their power, and nothing is left. */
import { join } from 'node:path'
import { abortHere } from '@repo/common/testing/run-here'
import { runExample } from '@repo/common/testing/testing'
import { leavesNothingRunning } from '@repo/common/testing/vitest'
import { describe, expect, it } from 'vitest'
import raft from '../../examples/raft.ts'
import { judge } from '../../src/consistency/judge.ts'
import { record } from '../../src/consistency/run.ts'
import { raft as group } from '../../src/systems/raft.ts'

const chapter = join(import.meta.dirname, '../..')

describe('three server processes', () => {
  leavesNothingRunning()

  it('answer all requests although all of them are killed, the leader is paused, and a clock runs fast', async () => {
    await using system = await group()
    const faults = (['all killed', 'paused', 'clock wrong'] as const).map((kind) => {
      return { kind, target: 'leader' as const, afterMs: 200, lastsMs: 200 }
    })
    const { history, troubles } = await record(system, { clients: 3, keys: 2, seed: 1, faults, patienceMs: 60_000 })
    expect(troubles.map(({ name }) => name)).toEqual(['a', 'b', 'c'])
    expect(judge(history, 1_000_000)).toMatchObject({ verdict: 'linearizable', unanswered: 0, lost: 0 })
  })

  it('are gone when the run is aborted', async () => {
    expect(await abortHere(raft, { processes: true })).toMatchObject({ message: 'aborted by the test' })
  })
})

describe('raft', () => {
  it('runs as processes, and leaves nothing behind', async () => {
    const run = await runExample(chapter, 'raft', ['--processes', '--json'])
    expect(run, run.stderr).toMatchObject({ code: 0 })
    const result = run.json<{ requests: number; answered: number; meanwhile: number; silentMs: number }>()
    expect(result).toMatchObject({ servers: 3, killed: expect.stringMatching(/^[abc]$/), verdict: 'linearizable' })
    expect(result.answered).toBe(result.requests)
    expect(result.meanwhile).toBeGreaterThan(0)
    expect(result.silentMs).toBeGreaterThan(0)
    expect(await run.leftBehind()).toEqual([])
  })

  it('ends on Ctrl-C and leaves nothing behind', async () => {
    const interrupted = () => runExample(chapter, 'raft', ['--processes'], { interruptWhen: /the leader is killed/ })
    let run = await interrupted()
    // All of it takes three seconds. On a busy machine Ctrl-C may come later than that.
    while (run.code === 0) run = await interrupted()
    expect(run).toMatchObject({ code: 130, stdout: expect.not.stringContaining('history is') })
    expect(await run.leftBehind()).toEqual([])
  })
})
