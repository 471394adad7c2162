/** What levels of tests catch of all bugs, found by running them. */
import { fileURLToPath } from 'node:url'
import { runExample } from '@repo/common/testing/testing'
import { expect, it } from 'vitest'

const chapter = fileURLToPath(new URL('../..', import.meta.url))

// Those that need no server and no time: simulated.test.ts finds each bug by simulation.
it('runs levels with each bug: some catch one, a contract none, and without a bug all pass', async () => {
  const wanted = ['pure-functions', 'races', 'contract']
  const run = await runExample(chapter, 'levels', ['--levels', wanted.join(','), '--json'])
  expect(run, run.stderr).toMatchObject({ code: 0 })
  const { levels } = run.json<{ levels: { level: string; tests: number; verdict: string; caught: string[] }[] }>()
  expect(levels.map(({ level, verdict }) => [level, verdict])).toEqual(wanted.map((level) => [level, 'passed']))
  const caughtBy = Object.fromEntries(levels.map(({ level, caught }) => [level, caught]))
  expect(caughtBy).toMatchObject({
    'pure-functions': ['unbounded-retry'],
    races: ['lost-update'],
    contract: [],
  })
  expect(await run.leftBehind()).toEqual([])
})
