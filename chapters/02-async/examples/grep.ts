/**
 * grep: how often does a word occur? One pipeline four ways, compared with the system's own grep
 *
 *     pnpm --filter 02-async start grep freedom
 *     pnpm --filter 02-async start grep 'w[ao]r' --ignore-case ~/book.txt
 *     pnpm --filter 02-async start grep freedom --repeat 19      a file of 200 MB
 *     cat ~/book.txt | pnpm --filter 02-async start grep war --count -
 *
 * PATTERN is a word or a JavaScript regular expression, searched for in each line of the files, or of all State of the
 * Union addresses. Each way runs in a process of its own, in turn with the others and with `grep -o PATTERN | wc -l`.
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
import { startWay, systemGrep } from '../src/grep/processes.ts'
import { linesOf, matchesOf, piecesOf } from '../src/grep/pull.ts'
import { repeated, searchOf, sourceOf } from '../src/grep/requests.ts'
import { type WayName, ways } from '../src/grep/ways.ts'

export default example(import.meta, {
  operands: 'PATTERN [FILE…]',
  options: {
    ignoreCase: flag().describe('treat A and a as the same letter'),
    count: flag().describe('print only how often the pattern occurs, as `grep -o PATTERN | wc -l` does'),
    lines: flag().describe('print only in how many lines it occurs, as `grep -c PATTERN` does'),
    repeat: wholeNumber(1, 1000).default(1).describe('search one large file with this many copies of the text'),
    rounds: wholeNumber(1, 1000).default(5).describe('how often each way is timed'),
  },

  async run(options, { operands: [pattern = 'freedom', ...operands], signal, print }) {
    const search = searchOf(pattern, options.ignoreCase)
    await using folder = await temporaryFolder()
    const sourceOptions = { input: process.stdin, folder: folder.path, signal }
    const given = await sourceOf(operands, sourceOptions)
    const { files, bytes: size } = options.repeat > 1 ? await repeated(given, options.repeat, sourceOptions) : given
    const bare = options.count || options.lines
    const what = files.length === 1 ? 'one file' : `${count(files.length)} files`
    if (!bare) print(`Looking for ${pattern} in ${what}, ${bytes(size)} …`)

    // The pipeline. Here it is made of async generators: each stage asks the one before it for its next value.
    const found = { occurrences: 0, lines: 0 }
    for (const file of files) {
      const pieces = piecesOf(file) // read
      const lines = linesOf(pieces) // cut into lines
      const matches = matchesOf(search, lines) // match
      for await (const matchesInLine of matches) {
        found.occurrences += matchesInLine // count
        found.lines++
        signal.throwIfAborted()
      }
    }
    const agree = (counted: Partial<typeof found>) => {
      if (Object.entries(counted).every(([key, n]) => n === found[key as keyof typeof found])) return
      throw new Error(`the ways disagree: ${JSON.stringify(found)} and ${JSON.stringify(counted)}`)
    }

    // The same pipeline four ways, each in a process of its own, so that its memory can be measured.
    await using processes = new AsyncDisposableStack()
    const peaks = new Map<string, number>()
    const runs: Record<string, () => Promise<number>> = {}
    for (const name of Object.keys(ways) as WayName[]) {
      const way = processes.use(await startWay(name, signal))
      runs[name] = async () => {
        const { ms, peakRssMb, ...counted } = await way.search(search, files)
        agree(counted)
        peaks.set(name, peakRssMb)
        return ms
      }
    }
    // And the system's own grep.
    const system = await systemGrep(search, files, found.occurrences, signal)
    if ('count' in system) {
      runs.grep = async () => {
        const { occurrences, ms } = await system.count()
        agree({ occurrences })
        return ms
      }
    }
    using bar = progress('searching, each way in turn', 100)
    const onProgress = (done: number, total: number) => bar.update(Math.round((100 * done) / total))
    const timings = await interleave(runs, { rounds: bare ? 1 : options.rounds, signal, onProgress })

    const speedOf = (name: string) => {
      const ms = timings[name]?.ms ?? Number.NaN
      return { ms, mbPerS: size / 1000 / ms }
    }
    const result = {
      pattern,
      ...found,
      bytes: size,
      ways: Object.keys(ways).map((name) => ({ name, ...speedOf(name), peakRssMb: peaks.get(name) ?? Number.NaN })),
      grep: 'count' in system ? { occurrences: found.occurrences, ms: speedOf('grep').ms } : null,
      ...('leftOut' in system && { grepLeftOut: system.leftOut }),
    }
    if (options.count) print(String(found.occurrences))
    if (options.lines) print(String(found.lines))
    if (bare) return result

    const row = (name: string, { ms, mbPerS }: ReturnType<typeof speedOf>, memory: string) => [
      name,
      milliseconds(ms),
      mbPerS.toFixed(0),
      memory,
    ]
    print(
      '',
      table(
        ['way', 'time', 'MB/s', 'peak memory'],
        [
          ...result.ways.map((way) => row(way.name, way, `${way.peakRssMb.toFixed(0)} MB`)),
          ...('count' in system ? [row(system.command, speedOf('grep'), '')] : []),
        ],
      ),
      '',
      `${count(found.occurrences)} occurrences in ${count(found.lines)} lines, the same by every way${result.grep ? ' and by grep' : ''}.`,
      ...('leftOut' in system ? [`Without the system's grep: ${system.leftOut}.`] : []),
    )
    return result
  },
  figure: ({ pattern, occurrences, ways, grep }) => {
    const fastest = ways.reduce((best, way) => (way.ms < best.ms ? way : best))
    const beside = grep ? `; grep -o | wc -l ${milliseconds(grep.ms)}` : ''
    return `"${pattern}" ${count(occurrences)} times: ${fastest.name} ${milliseconds(fastest.ms)}${beside}`
  },
})
