/**
 * grep: how often does a word occur? One pipeline four ways, beside the system's own grep
 *
 * Run it, from anywhere in the repository:
 *
 *     pnpm --filter 02-async start grep freedom
 *     pnpm --filter 02-async start grep 'w[ao]r' --ignore-case ~/book.txt
 *     pnpm --filter 02-async start grep freedom --repeat 19      a file of 200 MB
 *     cat ~/book.txt | pnpm --filter 02-async start grep war --count -
 *
 * PATTERN is a word or a JavaScript regular expression, looked for in each line; without files, in all State of the Union
 * addresses. Each way runs in a process of its own, in turn with the others and with `grep -o PATTERN | wc -l`.
 *
 * Look for: what each form of the same pipeline costs, that all count the same, and that none of them needs more memory
 * for a larger file.
 */
import { example } from '@repo/common/example/example'
import { flag, wholeNumber } from '@repo/common/example/options'
import { interleave } from '@repo/common/measure'
import { progress } from '@repo/common/output/progress'
import { bytes, count, milliseconds, table } from '@repo/common/output/terminal'
import { temporaryFolder } from '@repo/common/process/temporary'
import { AsyncDisposableStack } from '@whatwg-node/disposablestack'
import { type Count, grepCommand } from '../src/grep/pattern.ts'
import { GrepError, grepAndCount, type Measured, startWay } from '../src/grep/processes.ts'
import { repeated, searchOf, sourceOf } from '../src/grep/requests.ts'
import { type WayName, ways } from '../src/grep/ways.ts'

export default example(import.meta, {
  operands: 'PATTERN [FILE…]',
  options: {
    ignoreCase: flag().describe('A and a are the same letter'),
    count: flag().describe('print nothing but how often the pattern occurs, as `grep -o PATTERN | wc -l` does'),
    lines: flag().describe('print nothing but in how many lines it occurs, as `grep -c PATTERN` does'),
    repeat: wholeNumber(1, 1000).default(1).describe('search a file with all of it so many times over'),
    rounds: wholeNumber(1, 1000).default(5).describe('how often each way is timed'),
  },

  async run(options, { operands: [pattern = 'freedom', ...operands], signal, print }) {
    const search = searchOf(pattern, options.ignoreCase)
    await using folder = await temporaryFolder()
    const sourceOptions = { input: process.stdin, folder: folder.path, signal }
    const given = await sourceOf(operands, sourceOptions)
    const { files, bytes: size } = options.repeat > 1 ? await repeated(given, options.repeat, sourceOptions) : given
    const bare = options.count || options.lines
    if (!bare)
      print(
        `Looking for ${pattern} in ${files.length === 1 ? 'one file' : `${count(files.length)} files`}, ${bytes(size)} …`,
      )

    await using processes = new AsyncDisposableStack()
    const counts: (Count | { occurrences: number })[] = []
    const peaks = new Map<string, number>()
    const runs: Record<string, () => Promise<number>> = {}
    for (const name of Object.keys(ways) as WayName[]) {
      const way = processes.use(await startWay(name, signal))
      runs[name] = async () => {
        const { ms, peakRssMb, ...counted }: Measured = await way.search(search, files)
        counts.push(counted)
        peaks.set(name, peakRssMb)
        return ms
      }
    }
    const grep = grepCommand(search)
    let leftOut = 'leftOut' in grep ? grep.leftOut : undefined
    if (!('leftOut' in grep)) {
      runs.grep = async () => {
        const { occurrences, ms } = await grepAndCount(grep, pattern, files, signal)
        counts.push({ occurrences })
        return ms
      }
      // Whether this system's grep can do that shows at the first try.
      await runs.grep().catch((error: unknown) => {
        if (!(error instanceof GrepError)) throw error
        leftOut = error.message
        delete runs.grep
      })
    }

    using bar = progress('searching, each way in turn', 100)
    const onProgress = (done: number, total: number) => bar.update(Math.round((100 * done) / total))
    const timings = await interleave(runs, { rounds: bare ? 1 : options.rounds, signal, onProgress })

    const [found] = counts.filter((counted) => 'lines' in counted)
    if (!found) throw new Error('no way has counted')
    const differs = counts.find((other) => Object.entries(other).some(([key, n]) => found[key as keyof Count] !== n))
    if (differs) throw new Error(`the ways disagree: ${JSON.stringify(found)} and ${JSON.stringify(differs)}`)

    const mbPerS = (ms: number) => size / 1000 / ms
    const timeOf = (name: string) => timings[name]?.ms ?? Number.NaN
    const result = {
      pattern,
      ...found,
      bytes: size,
      ways: Object.keys(ways).map((name) => ({
        name,
        ms: timeOf(name),
        mbPerS: mbPerS(timeOf(name)),
        peakRssMb: peaks.get(name) ?? Number.NaN,
      })),
      grep: runs.grep ? { occurrences: found.occurrences, ms: timeOf('grep') } : null,
      ...(leftOut === undefined ? {} : { grepLeftOut: leftOut }),
    }
    if (options.count) print(String(found.occurrences))
    if (options.lines) print(String(found.lines))
    if (bare) return result

    const grepName = 'leftOut' in grep ? '' : `grep -o ${grep.args.join(' ')} | wc -l`
    print(
      '',
      table(
        ['way', 'time', 'MB/s', 'peak memory'],
        [
          ...result.ways.map(({ name, ms, mbPerS, peakRssMb }) => [
            name,
            milliseconds(ms),
            mbPerS.toFixed(0),
            `${peakRssMb.toFixed(0)} MB`,
          ]),
          ...(result.grep ? [[grepName, milliseconds(result.grep.ms), mbPerS(result.grep.ms).toFixed(0), '']] : []),
        ],
      ),
      '',
      `${count(found.occurrences)} occurrences in ${count(found.lines)} lines, the same by every way${result.grep ? ' and by grep' : ''}.`,
      ...(leftOut === undefined ? [] : [`Without the system's grep: ${leftOut}.`]),
    )
    return result
  },
  figure: ({ pattern, occurrences, ways, grep }) => {
    const fastest = ways.reduce((best, way) => (way.ms < best.ms ? way : best))
    const beside = grep ? `; grep -o | wc -l ${milliseconds(grep.ms)}` : ''
    return `"${pattern}" ${count(occurrences)} times: ${fastest.name} ${milliseconds(fastest.ms)}${beside}`
  },
})
