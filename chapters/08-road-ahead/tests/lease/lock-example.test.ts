/** The example `lock` as a reader runs it. */
import { fileURLToPath } from 'node:url'
import { runHere } from '@repo/common/testing/run-here'
import { runExample } from '@repo/common/testing/testing'
import { leavesNothingRunning } from '@repo/common/testing/vitest'
import { describe, expect, it } from 'vitest'
import lock from '../../examples/lock.ts'

const chapter = fileURLToPath(new URL('../..', import.meta.url))
leavesNothingRunning()

describe('lock', () => {
  it('tells the tour of no lost writes where no store was tried', () => {
    expect(lock.figure({ seed: 1, rounds: 1, versions: [], stores: [], picture: '' })).toBe('no store')
  })

  it('finds all mistakes, and has a row for a store that is missing', async () => {
    const none = { PATH: '/nowhere', REDIS_SERVER: undefined, REDISMS_DOWNLOAD_DIR: '/nowhere' }
    const run = await runExample(chapter, 'lock', ['--quick', '--json', '--stores', 'redis'], { env: none })
    expect(run, run.stderr).toMatchObject({ code: 0 })
    const { versions, stores } = run.json<{ versions: { mistake?: string; violation?: object }[]; stores: object[] }>()
    expect(versions.filter(({ violation }) => !violation)).toMatchObject([{ histories: 3_000 }])
    expect(versions).toHaveLength(6)
    expect(stores).toEqual([{ store: 'redis', why: expect.stringMatching(/^no Redis server on PATH: install one/) }])
  })

  it.each([
    ['--stores', 'mysql', 'a list of redis, etcd'],
    ['--rounds', '0', 'a whole number'],
    ['--lease', '0.5', 'a whole number'],
    ['--show', 'nothing', 'one of trusts its lease'],
    ['--histories', '-1', 'a whole number'],
    ['--seed', 'x', 'a whole number'],
  ])('refuses %s %s', async (name, value, accepts) => {
    const run = await runHere(lock, name, value)
    expect(run).toMatchObject({ code: 2, stdout: '' })
    expect(run.stderr).toMatch(new RegExp(`^.*${name}: received "${value}"; accepts ${accepts}.*\n$`))
  })

  it('ends on Ctrl-C and leaves nothing behind', async () => {
    const run = await runExample(chapter, 'lock', ['--histories', '10000000'], { interruptWhen: /same ones again/ })
    expect(run, run.stderr).toMatchObject({ code: 130 })
    expect(await run.leftBehind()).toEqual([])
  })

  it('prints its help', async () => expect((await runHere(lock, '--help')).stdout).toMatch(/--rounds/))
})
