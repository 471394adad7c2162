/** What the examples show to a reader, which have the same figures as their documents; and Ctrl-C once more. */
import { basename } from 'node:path'
import { fileURLToPath } from 'node:url'
import { runExample } from '@repo/common/testing/testing'
import { expect, it } from 'vitest'

const chapter = fileURLToPath(new URL('..', import.meta.url))

it('measure ends with 130 at Ctrl-C in the middle of its work, with a pool of threads', async () => {
  const args = ['--pages', '100', '--workers', '2']
  const stopped = await runExample(chapter, 'measure', args, { interruptWhen: /measuring on/ })
  expect(stopped).toMatchObject({ code: 130, stderr: expect.not.stringContaining('rror') })
  expect(await stopped.leftBehind()).toEqual([])
})

it('mixed ends with 130 at Ctrl-C in the middle of its work, with processes that have threads', async () => {
  // The first line of progress comes after two seconds, and the work takes several more.
  const args = ['--terms', '200000000', '--layouts', '2x2']
  const stopped = await runExample(chapter, 'mixed', args, { interruptWhen: /adding up, in turn/ })
  expect(stopped).toMatchObject({ code: 130, stderr: expect.not.stringContaining('rror') })
  expect(await stopped.leftBehind()).toEqual([])
})

it.each<[string, string[], string?]>([
  ['amdahl', []],
  ['latency', ['--samples', '200']],
  ['measure', ['--pages', '20', '--workers', '1', '--serial-fraction', '1'], 'The true serial fraction is 100.0 %.'],
  ['messages', ['--sizes', '1kB']],
  ['mixed', ['--terms', '1000000', '--layouts', '1x1,2x1']],
  ['race', ['--additions', '100000']],
])('%s shows a reader a table and a picture, and leaves nothing behind', async (name, args, shows = '') => {
  const shown = await runExample(chapter, name, ['--quick', ...args])
  expect(shown).toMatchObject({ code: 0, signal: null })
  expect(shown.stdout).toMatch(new RegExp(`^Picture: .*out.${basename(chapter)}.${name}\\.svg$`, 'm'))
  expect(shown.stdout).toContain(shows)
  expect(await shown.leftBehind()).toEqual([])
})
