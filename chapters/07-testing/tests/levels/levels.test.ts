/** What each level of tests catches, found by running them. */
import { fileURLToPath } from 'node:url'
import { runExample } from '@repo/common/testing/testing'
import { expect, it } from 'vitest'
import levels from '../../examples/levels.ts'
import { bugNames } from '../../src/pipeline/orders.ts'

const chapter = fileURLToPath(new URL('../..', import.meta.url))

it('runs the fast levels with each bug: some catch all, a contract none, and without a bug all pass', async () => {
  const run = await runExample(chapter, 'levels', ['--quick', '--json'])
  expect(run, run.stderr).toMatchObject({ code: 0 })
  const { levels } = run.json<{ levels: { level: string; tests: number; verdict: string; caught: string[] }[] }>()
  expect(levels.map(({ level, verdict }) => [level, verdict])).toEqual([
    ...['pure-functions', 'properties', 'races', 'simulation', 'contract'].map((level) => [level, 'passed']),
  ])
  const caughtBy = Object.fromEntries(levels.map(({ level, caught }) => [level, caught]))
  expect(caughtBy).toMatchObject({
    'pure-functions': ['unbounded-retry'],
    races: ['lost-update'],
    contract: [],
    simulation: bugNames,
  })
  expect(await run.leftBehind()).toEqual([])
})

it.each([{ levels: 'races,usability' }, { bug: 'typo' }])('refuses %j', async (options) => {
  const [[name, value] = []] = Object.entries(options)
  await expect(levels.run(options as object)).rejects.toThrow(`--${name}: received "${value}"; accepts `)
})
