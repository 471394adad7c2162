/** replicas, as a reader runs it. */
import { readFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { runHere } from '@repo/common/testing/run-here'
import { runExample } from '@repo/common/testing/testing'
import { describe, expect, it } from 'vitest'
import replicas from '../../examples/replicas.ts'

const chapter = fileURLToPath(new URL('../..', import.meta.url))
const fast = ['--quick', '--operations', '200', '--histories', '2000', '--keys', '10']

describe('replicas', () => {
  it('has a row for each setting, finds the trap, draws it, and says that Redis is missing', async () => {
    const none = { PATH: '/nowhere', REDIS_SERVER: undefined, REDISMS_DOWNLOAD_DIR: '/nowhere' }
    const run = await runExample(chapter, 'replicas', [...fast, '--json'], { env: none })
    expect(run, run.stderr).toMatchObject({ code: 0 })
    const result = run.json<{
      settings: { n: number; w: number; r: number; stale: number }[]
      searches: { violation?: string }[]
      pictures: string[]
    }>()
    expect(result.settings).toHaveLength(10)
    for (const { n, w, r, stale } of result.settings) if (r + w > n) expect(stale, `${w}, ${r}`).toBe(0)
    expect(result.searches.map(({ violation }) => violation !== undefined)).toEqual([true, true, false, true])
    expect(result).toMatchObject({ redis: { why: expect.stringMatching(/^needs Redis: /), rows: [] } })
    expect(result.pictures).toHaveLength(3)
    expect(await readFile(result.pictures[0] ?? '', 'utf8')).toContain('no repair')
  })

  it('ends on Ctrl-C and leaves nothing behind', async () => {
    // Soon at what is real: all before it is simulated, and the other test has it.
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
