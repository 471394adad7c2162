/**
 * logs: the log lines of all processes, merged so that no effect stands above its cause, whatever the clocks say
 *
 *     pnpm --filter 07-testing start logs
 *     pnpm --filter 07-testing start logs --order order-4
 *     pnpm --filter 07-testing start logs --level warn --grep again
 *     pnpm --filter 07-testing start logs --follow --orders 200
 *     pnpm --filter 07-testing start logs --folder my/logs
 *
 * Orders go through the pipeline, whose five processes log JSON lines with the order and one correlation id. Their clocks are
 * wrong on purpose (simulated), one process leaves half a line behind, and each request carries a token.
 *
 * Look for: the one order's story by the clocks, where it is shipped before it was paid, and the same story merged; and that
 * the token is in no file.
 */
import { readdir } from 'node:fs/promises'
import { example } from '@repo/common/example/example'
import { accepting, flag, oneOf, path, wholeNumber } from '@repo/common/example/options'
import { UsageError } from '@repo/common/example/usage'
import { count, dim, milliseconds, red, table, yellow } from '@repo/common/output/terminal'
import { temporaryFolder } from '@repo/common/process/temporary'
import { followLogs, readLogs } from '../src/logs/files.ts'
import { clockShifts, type Filter, impossible, matches, mergeLogs, tally } from '../src/logs/lines.ts'
import { lineText, storyOf, storyText } from '../src/logs/text.ts'
import { runWithLogs } from '../src/logs/trial.ts'

const text = (what: string) => accepting(what, (given) => given || undefined).optional()
const pattern = accepting('a regular expression', (text) => {
  try {
    return new RegExp(text)
  } catch {
    return undefined
  }
})

export default example(import.meta, {
  options: {
    orders: wholeNumber(1, 5_000).default(50).describe('how many orders are placed'),
    level: oneOf('debug', 'info', 'warn', 'error').optional().describe('only lines of this level and above'),
    process: text('the name of a process').describe('only its lines'),
    order: text('an order').describe('only lines about it'),
    correlation: text('a correlation id').describe('only lines with it'),
    grep: pattern.optional().describe('only lines with this in their message or values'),
    follow: flag().describe('prints the lines as they are written'),
    folder: path('a folder of *.log files').optional().describe('reads these logs and starts nothing'),
    seed: wholeNumber(1, 2 ** 31 - 1)
      .default(1)
      .describe('for the orders'),
  },
  quick: { orders: 10 },

  async run({ orders: wanted, follow, folder, seed, grep, ...asked }, { signal, print }) {
    const filter: Filter = { ...asked, pattern: grep }
    const isFiltered = Object.values(filter).some((value) => value !== undefined)
    async function printFollowed(folder: string, signal: AbortSignal) {
      for await (const line of followLogs(folder, signal)) {
        if ('unreadable' in line) print(yellow(line.unreadable))
        else if (matches(line, filter)) print(lineText(line))
      }
    }

    await using temporary = await temporaryFolder()
    const logs = folder ?? temporary.path
    let secretsFound = 0
    if (folder !== undefined) {
      const files = await readdir(folder).catch(() => [])
      if (!files.some((file) => file.endsWith('.log')))
        throw new UsageError('--folder', folder, 'a folder of *.log files')
      if (follow) await printFollowed(folder, signal)
      signal.throwIfAborted()
    } else {
      print(`${count(wanted)} orders through five processes with wrong clocks …`)
      const done = new AbortController()
      const following = follow ? printFollowed(logs, AbortSignal.any([signal, done.signal])) : undefined
      secretsFound = await runWithLogs(logs, { count: wanted, seed, signal })
      done.abort()
      await following
    }

    const { logs: byProcess, unreadable } = await readLogs(logs)
    const all = byProcess.flat()
    const byClock = all.toSorted((a, b) => a.time - b.time)
    const merged = mergeLogs(byProcess)
    const shifts = clockShifts(all)
    const chosen = isFiltered ? merged.filter((line) => matches(line, filter)) : []
    if (!follow && chosen.length > 0) print(...chosen.map((line) => lineText(line)))

    const story = storyOf(merged)
    if (folder === undefined && !isFiltered && !follow) print(...storyText(story))
    const processes = tally(all, ({ process }) => process)
      .map(([process]) => process)
      .sort()
    const levels = ['debug', 'info', 'warn', 'error'] as const
    const numberOf = (process: string, level: string) =>
      all.filter((line) => line.process === process && line.level === level).length
    print(
      table(
        ['process', ...levels, 'clock moved by'],
        processes.map((process) => [
          process,
          ...levels.map((level) => numberOf(process, level)),
          shifts.get(process) ? milliseconds(shifts.get(process) ?? 0) : '',
        ]),
      ),
      '',
      `${count(all.length)} lines; by the clocks ${impossible(byClock)} messages are received before they are sent, merged ${impossible(merged)}.`,
      ...unreadable.slice(0, 5).map(yellow),
    )
    const headers = merged.find(({ message }) => message === 'request')?.rest.headers
    if (folder === undefined) {
      print(
        secretsFound > 0
          ? red('The token is in the logs.')
          : `The token is in no file; where it was, there is ${dim(JSON.stringify(headers))}`,
      )
    }
    return {
      lines: all.length,
      shown: chosen.length,
      unreadable,
      processes,
      secretsFound,
      impossibleByClock: impossible(byClock),
      impossibleMerged: impossible(merged),
      byLevel: Object.fromEntries(tally(all, ({ level }) => level)),
      byMessage: Object.fromEntries(tally(all, ({ message }) => message)),
      shifts: Object.fromEntries(shifts),
      story: story.map(({ process, time, message, correlation }) => ({ process, time, message, correlation })),
    }
  },

  figure: ({ lines, impossibleByClock }) =>
    `${count(lines)} lines, ${impossibleByClock} of them in an impossible order by the clocks`,
})
