import { rm } from 'node:fs/promises'
import { leavesNothingRunning } from '@repo/common/testing/vitest'
import { expect, it } from 'vitest'
import { exerciseFolders } from '../src/progress.ts'
import { prove } from '../src/proof.ts'
import { chapterWith } from './chapter.ts'

leavesNothingRunning()

it('proves an exercise whose mistakes are caught and whose solution holds', async () => {
  await using chapter = await chapterWith({ one: {}, two: {} })
  expect(exerciseFolders(chapter.path)).toEqual([chapter.file('one'), chapter.file('two')])
  expect(await prove(chapter.file('one'))).toEqual([])
})

it('says what is wrong with one', async () => {
  await using chapter = await chapterWith({
    one: {
      'solution.ts': `let calls = 0\nexport const run = () => (++calls > 7 ? 2 : 1)`,
      'wrong/two.ts': '// The checker says: It is 2.\nexport const run = () => 2',
      'wrong/three.ts': '// The checker says: It is not 1.\nexport const run = () => 1',
      'wrong/four.ts': 'export const run = () => 4',
    },
  })
  expect(await prove(chapter.file('one'))).toEqual([
    'solution.ts held 7 of 20 times: It is not 1.',
    'wrong/four.ts has no line "// The checker says: …"',
    'wrong/three.ts: expected "It is not 1."; received "nothing: it passed"',
    'wrong/two.ts: expected "It is 2."; received "It is not 1."',
  ])
  await rm(chapter.file('one', 'hints.md'))
  await rm(chapter.file('one', 'wrong', 'two.ts'))
  expect(await prove(chapter.file('one'))).toEqual([
    'hints.md is missing',
    'wrong/ has 2 files; accepts three wrong answers or more',
  ])
})
