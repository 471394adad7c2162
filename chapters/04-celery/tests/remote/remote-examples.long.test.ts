/** remote-names and remote-worker by their results, and remote-currency with servers of its own, ended by Ctrl-C. */
import { fileURLToPath } from 'node:url'
import { runExample } from '@repo/common/testing/testing'
import { describe, expect, it } from 'vitest'
import remoteNames from '../../examples/remote-names.ts'
import remoteWorker from '../../examples/remote-worker.ts'

const chapter = fileURLToPath(new URL('../..', import.meta.url))

it('remote-currency stops at Ctrl-C and leaves nothing behind', async () => {
  const run = await runExample(chapter, 'remote-currency', ['--delay', '1000'], { interruptWhen: /says that/ })
  expect(run.code).toBe(130)
  expect(run.stderr).not.toContain('error')
  expect(await run.leftBehind()).toEqual([])
})

describe('remote-names', () => {
  it('shows what happens to names', async () => {
    const result = await remoteNames.run({ lease: 2_000 })
    expect(result.registered.map(({ name }) => name)).toEqual([
      'rates.hangs',
      'rates.killed',
      'rates.removed',
      'rates.stays',
    ])
    expect(new Set(result.registered.map(({ address }) => address)).size).toBe(4)
    expect(result.events.map(({ left }) => left.join())).toEqual(
      process.platform === 'win32'
        ? ['hangs,removed,stays', 'hangs,stays', 'hangs,stays']
        : ['hangs,removed,stays', 'hangs,stays', 'stays', 'hangs,stays', 'hangs,stays'],
    )
  })
})

describe('remote-worker', () => {
  it('shows whose calls an instance counts', async () => {
    expect(await remoteWorker.run()).toMatchObject({
      kinds: [
        { instances: 'single', ann: [1, 2, 4], bob: [3], during: 1, after: 1 },
        { instances: 'session', ann: [1, 2, 3], bob: [1], during: 3, after: 1 },
        { instances: 'call', ann: [1, 1, 1], bob: [1], during: 1, after: 1 },
      ],
    })
  })
})
