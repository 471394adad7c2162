/** replicas: one setting, what it refuses, and Ctrl-C. */
import { fileURLToPath } from 'node:url'
import { runHere } from '@repo/common/testing/run-here'
import { runExample } from '@repo/common/testing/testing'
import { describe, expect, it } from 'vitest'
import replicas from '../../examples/replicas.ts'

const chapter = fileURLToPath(new URL('../..', import.meta.url))
const fast = ['--quick', '--operations', '200', '--histories', '2000', '--keys', '10']

describe('replicas', () => {
  it('ends on Ctrl-C and leaves nothing behind', async () => {
    // Soon at what is real: all before it is simulated.
    const args = [...fast, '--n', '3', '--w', '2', '--r', '2', '--histories', '1', '--delays', '500']
    const run = await runExample(chapter, 'replicas', args, { interruptWhen: /at once/ })
    expect(run).toMatchObject({ code: 130, stdout: expect.not.stringContaining('Pictures') })
    expect(await run.leftBehind()).toEqual([])
  })

  it('asks for one setting', async () => {
    const one = ['--n', '5', '--w', '4', '--r', '2', '--operations', '100', '--histories', '1', '--delays', '0']
    const { settings } = (await runHere(replicas, ...fast, ...one, '--json')).json<{ settings: object[] }>()
    expect(settings).toEqual([expect.objectContaining({ n: 5, w: 4, r: 2, stale: 0 })])
  })

  it.each([
    [['--w', '4'], '--w: received "4"; accepts a whole number from 1 to N, which is 3'],
    [['--n', '5', '--r', '6'], '--r: received "6"; accepts a whole number from 1 to N, which is 5'],
    [['--n', '2'], '--n: received "2"; accepts a whole number from 3 to 7'],
    [['--w', '0'], '--w: received "0"; accepts'],
    [['--loss', '-1'], '--loss: received "-1"; accepts'],
    [['--seed', 'x'], '--seed: received "x"; accepts'],
    [['--delays', '5,5'], '--delays: received "5,5"; accepts ms from 0 to 500'],
  ])('refuses %j', async (args, message) => {
    const { code, stderr, stdout } = await runHere(replicas, ...args)
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' })
    expect(stderr).toContain(message)
    expect(stderr.trim().split('\n')).toHaveLength(1)
  })

  it('knows --help', async () => {
    expect((await runHere(replicas, '--help')).stdout).toMatch(/--loss/)
  })
})
