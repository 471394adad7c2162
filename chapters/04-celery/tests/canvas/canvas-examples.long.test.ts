/** The example canvas by its results, and as a reader runs it. */
import { readFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { runExample } from '@repo/common/testing/testing'
import { expect, it } from 'vitest'
import canvas from '../../examples/canvas.ts'
import { describeRedis } from '../fixtures/layer.ts'

const chapter = fileURLToPath(new URL('../..', import.meta.url))

describeRedis('canvas', () => {
  it('computes each shape, shows what each failure does, and draws', async () => {
    const { shapes, failures, picture } = await canvas.run({ ms: 80, workers: 2 })
    expect(Object.fromEntries(shapes.map(({ shape, result }) => [shape, result]))).toEqual({
      group: [1, 4, 9, 16],
      chain: 100,
      chord: 14,
      diamond: 21,
      starmap: [1, 4, 9, 16, 25, 36, 49, 64, 81, 100],
      chunks: [[1, 4, 9], [16, 25, 36], [49, 64, 81], [100]],
      link: 25,
      linkError: 'RangeError: 13 is not squared here',
    })
    const tasksOf = (name: string) => shapes.find(({ shape }) => shape === name)?.tasks ?? []
    expect(shapes.map(({ tasks }) => tasks.length)).toEqual([4, 3, 4, 4, 1, 4, 2, 3])
    // No task begins before the one below it has ended; all times are by one machine's clock.
    const chain = tasksOf('chain')
    for (let at = 1; at < chain.length; at++)
      expect(chain[at]?.begin).toBeGreaterThanOrEqual(chain[at - 1]?.end ?? Number.NaN)
    expect(tasksOf('chord').at(-1)).toMatchObject({ task: 'sum', state: 'completed' })
    expect(
      tasksOf('linkError')
        .map(({ task, state }) => `${task} ${state}`)
        .sort(),
    ).toEqual(['increment failed', 'noted completed', 'square failed'])
    expect(failures).toMatchObject([
      { onFailure: 'fail', state: 'failed', result: 'RangeError: 13 is not squared here' },
      { onFailure: 'ignore', state: 'completed', result: 13, errorInBody: '13 is not squared here' },
      // 4 if the first had ended before the second failed, which may not be so on a busy machine.
      { onFailure: 'continue', state: 'completed', errorInBody: '13 is not squared here' },
      { onFailure: 'remove', state: 'completed', result: 13, errorInBody: null },
      { onFailure: 'wait', state: 'waiting-children', result: null },
    ])
    expect(await readFile(picture, 'utf8')).toContain('>chain 2: increment<')
  })

  it('shows them to a reader, and leaves nothing behind', async () => {
    const run = await runExample(chapter, 'canvas', ['--ms', '10', '--workers', '1'])
    const { code, stdout } = run
    expect(code, run.stderr).toBe(0)
    expect(await run.leftBehind()).toEqual([])
    expect(stdout).toMatch(/diamond +4 +\d/)
    expect(stdout).toMatch(/wait +\(its default\) +waiting-children/)
  })

  it('stops at Ctrl-C and leaves nothing behind', async () => {
    const run = await runExample(chapter, 'canvas', ['--ms', '5000', '--workers', '1'], {
      interruptWhen: /worker process/,
    })
    expect(run.code).toBe(130)
    expect(await run.leftBehind()).toEqual([])
  })
})
