/** A computation whose process is killed at every moment of a save, without the example around it, and in it. */
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { temporaryFolder } from '@repo/common/process/temporary'
import { type Run, runExample } from '@repo/common/testing/testing'
import { expect, it } from 'vitest'
import { deathsOf, live } from '../../src/checkpoint/lives.ts'
import { publishedPrimes } from '../../src/checkpoint/primes.ts'

it('a checkpointed computation gets it right whenever its process is killed', async () => {
  await using folder = await temporaryFolder()
  const path = join(folder.path, 'lives')
  // Without the first death, which is timed: on a busy machine everything could be done by then. A death in a save is
  // certain.
  const [, ...deaths] = deathsOf({ kills: 5, seed: 7, lifeMs: 60 })
  const { lives, state } = await live({ limit: 1e8, path, everyMs: 1 }, deaths)
  expect(state).toMatchObject(publishedPrimes[1e8] ?? {})
  expect(lives.slice(0, 4).every(({ ended }) => ended.startsWith('SIGKILL in a save'))).toBe(true)
  expect((await readdir(folder.path)).filter((file) => file.endsWith('.tmp'))).toEqual([])
  for (const [at, life] of lives.entries()) expect(life.resumedAt).toBeLessThanOrEqual(lives[at - 1]?.reached ?? 0)
})

it('the example survives kills and damaged files with the right result', async () => {
  // Long enough that no life finishes before its death, and saved so often that the lives are short.
  const args = ['--quick', '--limit', '300000000', '--every', '5', '--json']
  const run = () => runExample(join(import.meta.dirname, '../..'), 'checkpoint', args, { timeoutMs: 200_000 })
  const livesOf = (run: Run) => run.json<{ lives: { ended: string; damaged: string[] }[] }>()
  let done = await run()
  // On a busy machine, the first signal may come when everything is done.
  while (done.code === 0 && livesOf(done).lives.length === 1) done = await run()
  expect(done.stderr).not.toMatch(/error/)
  const { lives, ...rest } = livesOf(done)
  expect(rest).toMatchObject({
    // As in the tables of pi(x).
    limit: 3e8,
    primes: 16_252_325,
    same: true,
    savedOnSignal: process.platform !== 'win32',
  })
  expect(lives.map(({ ended }) => ended).slice(0, 5)).toEqual([
    'SIGTERM: saved, left',
    ...['half written', 'written', 'synced', 'renamed'].map((at) => `SIGKILL in a save: ${at}`),
  ])
  // A file is damaged only if its life ended before the work did.
  for (const damage of ['truncated', 'flipped']) {
    const at = lives.findIndex(({ ended }) => ended.endsWith(damage))
    // A life that saved nothing leaves the truncated file, and then the bit is flipped in that one.
    if (at >= 0) expect(lives[at + 1]?.damaged[0]).toMatch(damage === 'truncated' ? /truncated/ : /checksum|truncated/)
  }
  expect(await done.leftBehind()).toEqual([])
}, 240_000)
