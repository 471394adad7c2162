/**
 * levels: the pipeline's tests, from pure functions to end to end, run against each planted bug: which level catches
 * what?
 *
 *     pnpm --filter 07-testing start levels
 *     pnpm --filter 07-testing start levels --bug lost-update
 *     pnpm --filter 07-testing start levels --levels races,integration
 *
 * The tests are those in tests/levels, one file per level. They run once as they are, and then once with each bug
 * switched on: a test that fails then has caught it. No level is skipped because an earlier one has already caught the
 * bug.
 *
 * Look for: which levels catch all bugs, and what they have in common; what the cheapest of them costs; and how little
 * a good day shows, even end to end.
 */
import { example } from '@repo/common/example/example'
import { listOf, oneOf } from '@repo/common/example/options'
import { progress } from '@repo/common/output/progress'
import { green, milliseconds, table } from '@repo/common/output/terminal'
import { type Level, type LevelResult, levels, runLevels } from '../src/levels/levels.ts'
import { type Bug, bugNames } from '../src/pipeline/orders.ts'

export default example(import.meta, {
  options: {
    bug: oneOf(...bugNames)
      .optional()
      .describe('plant this one only'),
    levels: listOf(oneOf(...levels), `some of ${levels.join(',')}`, { distinct: true })
      .default([...levels])
      .describe('which levels are run'),
  },
  // Those that need no server.
  quick: { levels: ['pure-functions', 'properties', 'races', 'simulation', 'contract'] },

  async run({ bug: wanted, levels: chosen }, { signal, print }) {
    const bugs: Bug[] = wanted ? [wanted] : bugNames
    print(
      `The tests of ${chosen.length} levels, as they are and with ${bugs.length} bugs planted one after the other …`,
    )
    using bar = progress('as they are', bugs.length + 1)
    const results: LevelResult[] = []
    results.push(...(await runLevels(chosen, undefined, signal)))
    // A level that fails without a bug would seem to catch all of them.
    const wrong = results.find(({ verdict }) => verdict === 'failed')
    if (wrong) throw new Error(`${wrong.level} fails without a bug: ${wrong.reason}`)
    for (const [at, bug] of bugs.entries()) {
      bar.update(at + 1, bug)
      results.push(...(await runLevels(chosen, bug, signal)))
    }
    // Vitest has set it for the tests that failed.
    process.exitCode = undefined
    const of = (level: Level, bug?: Bug) => results.find((result) => result.level === level && result.bug === bug)
    const rows = levels
      .filter((level) => chosen.includes(level))
      .map((level) => {
        const plain = of(level)
        const caught = bugs.filter((bug) => of(level, bug)?.verdict === 'failed')
        return { level, tests: plain?.tests ?? 0, ms: plain?.ms ?? 0, verdict: plain?.verdict ?? 'skipped', caught }
      })
    print(
      '',
      table(
        ['level', 'tests', 'time', 'as it is', ...bugs],
        rows.map(({ level, tests, ms, verdict, caught }) => [
          level.replaceAll('-', ' '),
          tests,
          milliseconds(ms),
          verdict,
          ...bugs.map((bug) => (caught.includes(bug) ? green('caught') : verdict === 'skipped' ? 'skipped' : '·')),
        ]),
      ),
    )
    return { levels: rows, results }
  },
  figure: ({ levels }) => levels.map(({ level, caught }) => `${level}: ${caught.length}`).join(', '),
})
