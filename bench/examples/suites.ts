/**
 * suites: the same work by what the book builds, by others, and by the bare machine, in one run that keeps every sample
 *
 *     npm run bench
 *     npm run bench -- engines --only layer,bullmq,nats
 *     npm run bench -- ladder --against bench/results/2026-11-30-3f9a1c-2-linux.json
 *
 * The suites, all of them by default:
 *
 *     ladder     one small task by a call, a message, a thread, a process, a queue, a batch job: what handing over costs
 *     compute    chapter 3's whole jobs on all cores by other pools and in Python, beside what the machine gives
 *     text       chapter 2's text pipeline beside grep, ripgrep and Python, on files of up to 200 MB
 *     storage    chapter 5's transfers beside rclone and the AWS command line, to one object store
 *     remote     chapter 4's remote objects beside Pyro, gRPC and bare messages, at four sizes of the argument
 *     hpc        small tasks on a host by chapter 6, by ssh and by Paramiko, up to a thousand of them
 *     engines    the drill of chapter 4 on other queues: speed, and what is lost or doubled when machines die
 *     starting   how long a reader waits for each chapter's first line
 *
 * In each round the contenders take turns, so that whatever disturbs the machine affects all of them; what counts is the
 * ratio to the first one in the same round. Every sample goes to <date>-<machine>.json in the folder of the results, with
 * the tables and pictures beside it, even after Ctrl-C. A contender that is missing or fails becomes a row that says why.
 *
 * Look for: the ratios, not the times, which are those of one machine; and what a fast queue does not do.
 */
import { dirname, join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import { example } from '@repo/common/example/example'
import { listOf, path } from '@repo/common/example/options'
import { describeError, UsageError } from '@repo/common/example/usage'
import { progress } from '@repo/common/output/progress'
import { bold, table, yellow } from '@repo/common/output/terminal'
import { z } from 'zod'
import { against, markdown, takingPart, whenAndWhere } from '../src/harness/report.ts'
import { newResults, placeFor, readResults, writeBeside, writeResults } from '../src/harness/results.ts'
import { measured, newRow, type Row, type Suite, type Table } from '../src/harness/suite.ts'
import { suites } from '../src/suites.ts'

const names = Object.keys(suites)
const here = fileURLToPath(new URL('..', import.meta.url))

export default example(import.meta, {
  options: {
    only: listOf(z.string(), 'names of contenders, such as layer,bullmq', { distinct: true })
      .optional()
      .describe('only these contenders, besides the reference'),
    against: path('a file of results').optional().describe('says which ratios differ from those of an earlier run'),
    results: path('a folder').default(join(here, 'results')).describe('where the results go'),
  },
  operands: '[SUITE…]',

  async run({ only, against: earlierFile, results: folder }, { signal, quick, operands, print }) {
    // Everything that can be wrong is found before the first minute of measuring.
    const chosen = operands.length > 0 ? operands : names
    const unknown = chosen.find((name) => !Object.hasOwn(suites, name))
    if (unknown !== undefined) throw new UsageError('suite', unknown, names.join(', '))
    const loaded: [string, Suite][] = []
    for (const name of new Set(chosen)) loaded.push([name, await (suites[name] as (typeof suites)[string])()])
    const contenders = loaded.flatMap(([, { contenders }]) => Object.keys(contenders))
    const stranger = only?.find((id) => !contenders.includes(id))
    if (stranger !== undefined) throw new UsageError('--only', stranger, contenders.join(', '))
    const earlier = earlierFile === undefined ? undefined : await readResults('--against', earlierFile, quick)
    const results = newResults(quick)
    const place = await placeFor(results, folder)
    const fromHere = relative(process.env.INIT_CWD ?? '.', place)
    const shown = fromHere.startsWith('..') ? place : fromHere
    const { machine } = results
    print(
      `${chosen.join(', ')}: a ${quick ? 'quick' : 'full'} run on ${machine.cores} cores, ${machine.platform}, Node ${machine.node}; results in ${shown}.json …`,
    )

    const written: Parameters<typeof markdown>[1][number][] = []
    /** Writes the results after each suite, so that a later one cannot lose them. */
    async function keep(name: string, suite: Suite, rows: Row[], tables: Table[]) {
      results.suites[name] = { rows }
      const file = `${place}.json`
      const pictures: string[] = []
      try {
        await writeResults(file, results)
        for (const [picture, svg] of Object.entries(suite.pictures(rows))) {
          await writeBeside(file, `${place}-${picture}.svg`, svg)
          pictures.push(relative(dirname(place), `${place}-${picture}.svg`))
        }
        written.push({ name, tables, pictures })
        await writeBeside(file, `${place}.md`, markdown(results, written))
      } catch (error) {
        // An interrupted run ends without a message, but not without this one.
        if (signal.aborted) process.stderr.write(`${describeError(error)}\n`)
        throw error
      }
    }
    const tablesOf = (suite: Suite, rows: Row[]) => [...suite.tables(rows), ...takingPart(rows)]

    for (const [name, suite] of loaded) {
      // The reference always takes part.
      const taking = Object.entries(suite.contenders).filter(([id], at) => at === 0 || !only || only.includes(id))
      const rows = taking.map(([id, { label }]) => newRow(id, label))
      using bar = progress(name, 1)
      const onProgress = (what: string, share: number) => bar.update(share, `${name}: ${what}`)
      try {
        await suite.measure(rows, { quick, signal, onProgress })
      } catch (error) {
        const some = measured(rows)
        if (some.length > 0) await keep(name, suite, some, tablesOf(suite, some))
        if (written.length > 0) print(`Results so far: ${shown}.json`)
        throw error
      }
      bar[Symbol.dispose]()

      // Shown first: the figures are worth more than their file.
      const tables = tablesOf(suite, rows)
      const before = earlier?.suites[name]
      if (earlier && before) tables.push(against(suite, before.rows, rows, whenAndWhere(earlier, machine)))
      for (const each of tables) print('', ...shownTable(each))
      if (earlier && !before) print('', yellow(`The earlier run has no suite ${name}.`))
      await keep(name, suite, rows, tables)
    }
    const drawn = written.flatMap(({ pictures }) => pictures.map((name) => `Picture: ${join(dirname(shown), name)}`))
    print('', `Results: ${shown}.json`, ...drawn)
    return { ...results, file: `${place}.json` }
  },
  figure: ({ suites }) => {
    const rows = Object.values(suites).flatMap(({ rows }) => rows)
    const failed = rows.filter((row) => row.failed !== undefined).length
    return `${Object.keys(suites).join(', ')}: ${rows.length} contenders, ${failed} of them missing or failed`
  },
})

function shownTable({ title, head, rows, notes = [] }: Table): string[] {
  return [bold(title), ...(rows.length > 0 ? [table(head, rows)] : []), ...notes]
}
