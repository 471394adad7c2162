/** What each level of tests catches, found by running them. */
import { fileURLToPath } from 'node:url'
import { runProgram } from '@repo/common/testing/testing'
import { expect, it } from 'vitest'
import levels from '../../examples/levels.ts'

const chapter = fileURLToPath(new URL('../..', import.meta.url))
// By the chapter's `start`, whose exit code is the example's own unless something else has set one: Vitest does.
const start = fileURLToPath(import.meta.resolve('@repo/common/example/start.program'))

// Two levels and one bug: this file's neighbours are run anyway, and levels.long.test.ts plants all bugs.
it('runs levels with a bug: one catches it, a contract does not, and without the bug both pass', async () => {
  const args = ['levels', '--levels', 'races,contract', '--bug', 'lost-update', '--json']
  const run = await runProgram(start, args, { cwd: chapter })
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
