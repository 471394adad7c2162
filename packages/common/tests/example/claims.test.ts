/** Claims are evaluated on results, and say where they do not apply. */
import { expect, it } from 'vitest'
import { coreCount } from '../../src/cores.ts'
import { argsOf, type Claim, claims, evaluate } from '../../src/example/claims.ts'
import { example } from '../../src/example/example.ts'
import { flag } from '../../src/example/options.ts'

const race = example({ url: import.meta.url, main: false } as ImportMeta, {
  options: { fair: flag() },
  run: async () => ({ winner: 'ring', ms: [2, 40] as const }),
  figure: ({ winner }) => winner,
})

const about = (claim: Partial<Claim>): Claim => ({ says: 'The ring wins.', holds: () => true, ...claim })

it('keeps an example and the claims about it, typed by its result', () => {
  const declared = claims(race, {
    'ring-wins': {
      says: 'The ring wins.',
      holds: ({ winner, ms }) => winner === 'ring' && ms[0] < ms[1],
      values: ({ ms }) => ms.join(' to '),
    },
  })
  expect(declared.example.file).toBe(race.file)
  expect(evaluate(declared.claims['ring-wins'] as Claim, { winner: 'ring', ms: [2, 40] })).toEqual({
    outcome: 'holds',
    values: '2 to 40',
  })
  expect(evaluate(declared.claims['ring-wins'] as Claim, { winner: 'ring', ms: [40, 2] })).toEqual({
    outcome: 'does not hold here',
    values: '40 to 2',
  })
})

it('needs the quick run unless it names another', () => {
  expect(argsOf(about({}))).toEqual(['--quick'])
  expect(argsOf(about({ args: ['--quick', '--fair'] }))).toEqual(['--quick', '--fair'])
})

it('does not apply with too few cores, on another platform, or without what it is about', () => {
  const never = about({ holds: () => false })
  const cores = coreCount()
  expect(evaluate({ ...never, cores: cores + 1 }, {})).toEqual({
    outcome: 'not applicable',
    values: `needs ${cores + 1} cores`,
  })
  expect(evaluate({ ...never, platform: ['aix', 'haiku'] }, {})).toEqual({
    outcome: 'not applicable',
    values: 'only on aix, haiku',
  })
  expect(evaluate({ ...never, applies: () => false }, {})).toEqual({
    outcome: 'not applicable',
    values: 'not part of this result',
  })
  expect(evaluate(about({ cores, platform: [process.platform], applies: () => true }), {})).toEqual({
    outcome: 'holds',
  })
})

it('does not hold when one of its functions throws, and says why', () => {
  const fail = () => {
    throw new TypeError('no row for 8 workers')
  }
  for (const failing of [{ holds: fail }, { applies: fail }, { values: fail }]) {
    expect(evaluate(about(failing), {})).toEqual({
      outcome: 'does not hold here',
      values: 'its function failed: no row for 8 workers',
    })
  }
})

it('holds only by true itself', () => {
  expect(evaluate(about({ holds: () => 'yes' as unknown as boolean }), {}).outcome).toBe('does not hold here')
})
