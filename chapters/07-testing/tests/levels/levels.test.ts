/** What each level of tests catches, found by running them. */
import { fileURLToPath } from 'node:url'
import { runExample } from '@repo/common/testing/testing'
import { expect, it } from 'vitest'
import levels from '../../examples/levels.ts'

const chapter = fileURLToPath(new URL('../..', import.meta.url))

// Not all levels: this file's neighbours are run anyway, and simulated.test.ts finds each bug by simulation.
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

it.each([{ levels: 'races,usability' }, { bug: 'typo' }])('refuses %j', async (options) => {
  const [[name, value] = []] = Object.entries(options)
  await expect(levels.run(options as object)).rejects.toThrow(`--${name}: received "${value}"; accepts `)
})
