/**
 * mgrep: many patterns in one pass over the text, and how often words were said over 230 years
 *
 *     pnpm --filter 02-async start mgrep freedom liberty 'w[ao]r'
 *     pnpm --filter 02-async start mgrep --over-time war,peace,liberty,economy
 *     pnpm --filter 02-async start mgrep whale ship --file ~/book.txt
 *
 * One coroutine, `broadcast`, gets each line and hands it to a `grep` coroutine for each pattern.
 *
 * Look for: one pass costs less than a pass for each pattern; and what the presidents talked about in which years.
 */
import { example } from '@repo/common/example/example'
import { accepting, flag, listOf, wholeNumber } from '@repo/common/example/options'
import { interleave } from '@repo/common/measure'
import { linePlot } from '@repo/common/output/plots'
import { progress } from '@repo/common/output/progress'
import { bytes, count, milliseconds, table, times } from '@repo/common/output/terminal'
import { temporaryFolder } from '@repo/common/process/temporary'
import { stateOfTheUnion } from '@repo/common/workloads/texts'
import { broadcast } from '../src/coroutines/coroutine.ts'
import { overTime } from '../src/grep/over-time.ts'
import type { Search } from '../src/grep/pattern.ts'
import { cat, count as countInto, grep } from '../src/grep/push.ts'
import { searchOf, sourceOf } from '../src/grep/requests.ts'

const word = accepting('a word', (text) => (/^[\p{L}\p{M}]+(['’][\p{L}\p{M}]+)*$/u.test(text) ? text : undefined))

export default example(import.meta, {
  operands: '[PATTERN…]',
  options: {
    ignoreCase: flag().describe('treat A and a as the same letter'),
    overTime: listOf(word, 'one to six words, separated by commas', { max: 6, distinct: true })
      .default(['war', 'peace', 'liberty', 'economy'])
      .describe('the words in the picture, counted whole and in any case'),
    years: wholeNumber(1, 100).default(10).describe('years in a period'),
    file: accepting('a file, or - for standard input', (text) => text || undefined)
      .optional()
      .describe('search this file instead of the addresses'),
  },

  async run({ ignoreCase, overTime: words, years, file }, { operands, signal, print, picture }) {
    const patterns = operands.length > 0 ? operands : ['war', 'peace', 'freedom', 'liberty', 'the', 'constitution(al)?']
    const searches = patterns.map((pattern) => searchOf(pattern, ignoreCase))
    await using folder = await temporaryFolder()
    const sourceOptions = { input: process.stdin, folder: folder.path, signal }
    const { files, bytes: size } = await sourceOf(file === undefined ? [] : [file], sourceOptions)
    print(`Looking for ${patterns.length} patterns in ${bytes(size)} …`)

    // One pass: the source pushes each line into a broadcast, which hands it to a grep and a count for each pattern.
    // #region one-pass
    const onePass = (searches: Search[]) => {
      const totals = searches.map((search) => ({ search, occurrences: 0, lines: 0 }))
      cat(files, broadcast(totals.map((total) => grep(total.search, countInto(total)))))
      return totals
    }
    // #endregion one-pass
    using bar = progress('one pass, and a pass for each', 100)
    const timings = await interleave(
      { onePass: () => onePass(searches), manyPasses: () => searches.flatMap((search) => onePass([search])) },
      { signal, onProgress: (done, total) => bar.update(Math.round((100 * done) / total)) },
    )
    const totals = onePass(searches)

    // The words over the years, whole words only.
    const periods = overTime(words, stateOfTheUnion(), years)
    const svg = linePlot({
      title: 'Words in the State of the Union addresses, 1790 to 2021',
      subtitle: `occurrences per 10,000 words, in periods of ${years} years`,
      x: { label: 'year', tickFormat: (year) => String(year) },
      y: { label: '', domain: undefined },
      series: words.map((name, at) => ({
        name,
        points: periods.map((period) => ({ x: period.from, y: perTenThousand(period.occurrences[at], period.words) })),
      })),
    })
    const result = {
      bytes: size,
      patterns: totals.map(({ search: { pattern }, occurrences, lines }) => ({ pattern, occurrences, lines })),
      onePassMs: timings.onePass.ms,
      manyPassesMs: timings.manyPasses.ms,
      words,
      periods,
      picture: await picture('mgrep-over-time.svg', svg),
    }
    print(
      '',
      table(
        ['pattern', 'occurrences', 'lines'],
        result.patterns.map(({ pattern, occurrences, lines }) => [pattern, count(occurrences), count(lines)]),
      ),
      '',
      `One pass for all took ${milliseconds(result.onePassMs)}, a pass for each ${milliseconds(result.manyPassesMs)}: ${times(result.manyPassesMs / result.onePassMs)} as long.`,
      '',
      table(
        ['most often', 'in the years from', 'per 10,000 words'],
        words.map((name, at) => {
          const share = ({ occurrences, words }: (typeof periods)[number]) => perTenThousand(occurrences[at], words)
          const most = periods.reduce((best, period) => (share(period) > share(best) ? period : best))
          return [name, most.from, share(most).toFixed(1)]
        }),
      ),
      '',
      `Picture: ${result.picture}`,
    )
    return result
  },
  figure: ({ patterns, onePassMs, manyPassesMs }) =>
    `${patterns.length} patterns in one pass: ${milliseconds(onePassMs)}; in a pass for each: ${milliseconds(manyPassesMs)}`,
})

const perTenThousand = (occurrences = 0, words = 0) => (words === 0 ? 0 : (10_000 * occurrences) / words)
