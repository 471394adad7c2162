/** Claims are evaluated on what their examples print. */
import { fileURLToPath } from 'node:url'
import { runProgram } from '@repo/common/testing/testing'
import { expect, it } from 'vitest'
import type { Row } from '../../src/texts/run-claims.ts'
import { type Fixture, fixture } from './fixture.ts'

const program = fileURLToPath(new URL('../../src/texts/claims.program.ts', import.meta.url))

/** Claims whose functions the test knows, with a run of the example for each list of arguments. */
async function withClaims(...claims: string[]): Promise<Fixture> {
  const repository = await fixture()
  await repository.replace(
    'chapters/01-count/claims/count.ts',
    "  'known-formula'",
    `${claims.map((claim) => `  ${claim},\n`).join('')}  'known-formula'`,
  )
  return repository
}

const run = (repository: Fixture, args: string[], options = {}) =>
  runProgram(program, args, { cwd: repository.root, ...options })

it('prints a table and how many hold, and exits with 0 when none fails', async () => {
  await using repository = await withClaims("many: { says: 'Many.', holds: () => false, cores: 100_000 }")
  const { code, stdout } = await run(repository, ['01', 'count'], { env: { NO_COLOR: '1' } })
  expect(stdout).toMatch(/^\s*01-count +count +known-formula +holds +sum 6 *$/m)
  expect(stdout).toMatch(/^\s*01-count +count +many +not applicable +needs 100000 cores *$/m)
  expect(stdout).toMatch(/^2 claims: 1 hold, 0 do not hold here, 1 are not applicable\.$/m)
  expect(code).toBe(0)
})

it('says which do not hold, with the figures, and which could not be evaluated', async () => {
  await using repository = await withClaims(
    "'too-much': { says: 'More.', holds: ({ sum }) => sum > 10, values: ({ sum }) => 'only ' + sum }",
    "ten: { says: 'Ten.', holds: ({ sum }) => sum === 55, args: ['--limit', '10'] }",
    "throws: { says: 'Throws.', holds: () => { throw new RangeError('no such row') } }",
    "fails: { says: 'Fails.', holds: () => true, args: ['--fail'] }",
    "peer: { says: 'A peer.', holds: () => false, applies: () => false }",
    "elsewhere: { says: 'Elsewhere.', holds: () => false, platform: ['aix', 'haiku'], args: ['--forever'] }",
  )
  const result = await run(repository, ['--json'])
  const rows = result.json<Row[]>().map(({ id, outcome, values }) => [id, outcome, values])
  expect(rows).toEqual([
    ['too-much', 'does not hold here', 'only 6'],
    ['ten', 'holds', undefined],
    ['throws', 'does not hold here', 'its function failed: no such row'],
    ['fails', 'failed', 'no numbers left'],
    ['peer', 'not applicable', 'not part of this result'],
    ['elsewhere', 'not applicable', 'only on aix, haiku'],
    ['known-formula', 'holds', 'sum 6'],
  ])
  expect(result.code).toBe(1)
})

it('does not run an example whose server is missing', async () => {
  await using repository = await withClaims("fails: { says: 'Fails.', holds: () => true, args: ['--fail'] }")
  const missing = JSON.stringify({ '01-count/count': ['Redis', 'Slurm'] })
  const { code, json } = await run(repository, ['--json'], { env: { MISSING: missing } })
  expect(json<Row[]>().map(({ outcome, values }) => [outcome, values])).toEqual([
    ['not applicable', 'needs Redis and Slurm'],
    ['not applicable', 'needs Redis and Slurm'],
  ])
  expect(code).toBe(0)
})

it.each([
  [['02'], 'error: chapter: received "02"; accepts 01-count, bench\n'],
  [['01', 'sum'], 'error: example: received "sum"; accepts count\n'],
  [['bench', 'sum'], 'error: example: received "sum"; accepts none: it has no claims\n'],
  [['--jsn'], 'error: option: received "--jsn"; accepts --json\n'],
])('refuses %s in one line', async (args, stderr) => {
  await using repository = await fixture()
  expect(await run(repository, args)).toMatchObject({ code: 2, stdout: '', stderr })
})

it('ends with 130 on Ctrl-C, and leaves no example running', async () => {
  await using repository = await withClaims("waits: { says: 'Waits.', holds: () => true, args: ['--forever'] }")
  const result = await run(repository, ['01'], { interruptWhen: /count --forever/ })
  expect(result).toMatchObject({ code: 130, stdout: '' })
  expect(await result.leftBehind()).toEqual([])
})
