/** What each level of tests catches, found by running them. */
import { fileURLToPath } from 'node:url'
import { runExample } from '@repo/common/testing/testing'
import { expect, it } from 'vitest'
import levels from '../../examples/levels.ts'

const chapter = fileURLToPath(new URL('../..', import.meta.url))

// Two levels and one bug: this file's neighbours are run anyway, and levels.long.test.ts plants all bugs.
it('runs levels with a bug: one catches it, a contract does not, and without the bug both pass', async () => {
  const run = await runExample(chapter, 'levels', ['--levels', 'races,contract', '--bug', 'lost-update', '--json'])
  expect(run, run.stderr).toMatchObject({ code: 0 })
  expect(run.json()).toMatchObject({
    levels: [
      { level: 'races', verdict: 'passed', caught: ['lost-update'] },
      { level: 'contract', verdict: 'passed', caught: [] },
    ],
  })
  expect(await run.leftBehind()).toEqual([])
})

it.each([{ levels: 'races,usability' }, { bug: 'typo' }])('refuses %j', async (options) => {
  const [[name, value] = []] = Object.entries(options)
  await expect(levels.run(options as object)).rejects.toThrow(`--${name}: received "${value}"; accepts `)
})
