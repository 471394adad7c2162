/** A computation whose process is killed at every moment of a save, without the example around it. */
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { temporaryFolder } from '@repo/common/process/temporary'
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
