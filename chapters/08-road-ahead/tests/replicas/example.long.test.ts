/** replicas, as a reader runs it who has no Redis. */
import { readFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { runExample } from '@repo/common/testing/testing'
import { expect, it } from 'vitest'

const chapter = fileURLToPath(new URL('../..', import.meta.url))
const fast = ['--quick', '--operations', '200', '--histories', '2000', '--keys', '10']

it('replicas has a row for each setting, finds the trap, draws it, and says that Redis is missing', async () => {
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
