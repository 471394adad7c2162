/**
 * logs: the log lines of all processes, merged so that no effect stands above its cause, whatever the clocks say
 *
 *     pnpm --filter 07-testing start logs
 *     pnpm --filter 07-testing start logs --order order-4
 *     pnpm --filter 07-testing start logs --level warn --grep again
 *     pnpm --filter 07-testing start logs --follow --orders 200
 *     pnpm --filter 07-testing start logs --folder my/logs
 *
 * Orders go through the pipeline, whose five processes log JSON lines with the order and its correlation id. Their
 * clocks are wrong on purpose (simulated), one process leaves half a line behind, and each request carries a token.
 *
 * Look for: the story of one order by the clocks, where it is shipped before it is paid, and the same story merged; and
 * that the token is in no file.
 */
import { randomUUID } from 'node:crypto'
import { appendFile, readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { example } from '@repo/common/example/example'
import { accepting, flag, oneOf, path, seedNumber, wholeNumber } from '@repo/common/example/options'
import { UsageError } from '@repo/common/example/usage'
import { count, dim, howMany, milliseconds, red, table, yellow } from '@repo/common/output/terminal'
import { temporaryFolder } from '@repo/common/process/temporary'
import { followLogs, readLogs } from '../src/logs/files.ts'
import { clockShifts, type Filter, impossible, matches, mergeLogs, tally } from '../src/logs/lines.ts'
import { lineText, storyOf, storyText } from '../src/logs/text.ts'
import { ordersOf, placeOrders, stockFor } from '../src/pipeline/load.ts'
import type { Order } from '../src/pipeline/orders.ts'
import { startPipeline } from '../src/pipeline/pipeline.ts'
import { logFile } from '../src/watch/logs.ts'
import { observed } from '../src/watch/observe.ts'

/** The simulated error of each clock, in ms. */
const clocks = { front: 0, 'payment 1': 4_000, 'payment 2': -3_000, 'shipping 1': -90_000, 'shipping 2': 700 }
const levels = ['debug', 'info', 'warn', 'error'] as const
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
    level: oneOf(...levels)
      .optional()
      .describe('only lines of this level and above'),
    process: text('the name of a process').describe('only its lines'),
    order: text('an order').describe('only lines about it'),
    correlation: text('a correlation id').describe('only lines with it'),
    grep: pattern.optional().describe('only lines with this in their message or values'),
    follow: flag().describe('prints the lines as they are written'),
    folder: path('a folder of *.log files').optional().describe('reads these logs and starts nothing'),
    seed: seedNumber().default(1).describe('for the orders'),
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
    const token = randomUUID()
    if (folder === undefined) {
      print(`${howMany(wanted, 'order')} through five processes with wrong clocks …`)
      const ended = new AbortController()
      const following = follow ? printFollowed(logs, AbortSignal.any([signal, ended.signal])) : undefined
      const orders = ordersOf(seed, wanted)
      {
        // Logging is switched on: each process writes its own file, at all levels.
        const watched = observed({ logs }, { LOG_LEVEL: 'debug' })
        await using pipeline = await startPipeline({ stock: stockFor(orders), clocks, ...watched, signal })
        // Each request carries a correlation id, which goes all the way, and a token, which must not.
        const authorization = `Bearer ${token}`
        const headersOf = ({ id }: Order) => ({ authorization, 'x-correlation-id': `shop-${id}` })
        await placeOrders({ url: pipeline.url, orders, signal, headersOf })
        await pipeline.drained({ signal })
      }
      // What a process leaves behind when it is killed while writing.
      await appendFile(logFile(logs, 'payment 1'), '{"level":30,"time":1795')
      ended.abort()
      await following
    } else {
      const files = await readdir(folder).catch(() => [])
      if (!files.some((file) => file.endsWith('.log')))
        throw new UsageError('--folder', folder, 'a folder of *.log files')
      if (follow) await printFollowed(folder, signal)
      signal.throwIfAborted()
    }

    // First the lines of each process in its own order, then all merged so that every message is received after it was
    // sent.
    const { logs: byProcess, unreadable } = await readLogs(logs)
    const merged = mergeLogs(byProcess)
    const all = byProcess.flat()
    const byClock = all.toSorted((a, b) => a.time - b.time)
    const shifts = clockShifts(all)
    const chosen = isFiltered ? merged.filter((line) => matches(line, filter)) : []
    if (!follow && chosen.length > 0) print(...chosen.map((line) => lineText(line)))

    // The story of one order, by the clocks and as it happened.
    const story = storyOf(merged)
    if (folder === undefined && !isFiltered && !follow) print(...storyText(story))
    const processes = Map.groupBy(all, ({ process }) => process)
    const names = [...processes.keys()].sort()
    print(
      table(
        ['process', ...levels, 'clock moved by'],
        names.map((name) => {
          const shift = shifts.get(name) ?? 0
          const counts = levels.map((level) => processes.get(name)?.filter((line) => line.level === level).length ?? 0)
          return [name, ...counts, shift > 0 ? milliseconds(shift) : '']
        }),
      ),
      '',
      `${count(all.length)} lines; by the clocks ${impossible(byClock)} messages are received before they are sent, merged ${impossible(merged)}.`,
      ...unreadable.slice(0, 5).map(yellow),
    )
    let secretsFound = 0
    if (folder === undefined) {
      // Headers are logged on purpose; the logger has masked the token.
      const headers = merged.find(({ message }) => message === 'request')?.rest.headers
      const texts = await Promise.all((await readdir(logs)).map((file) => readFile(join(logs, file), 'utf8')))
      secretsFound = texts.filter((text) => text.includes(token)).length
      if (secretsFound > 0) print(red('The token is in the logs.'))
      else print(`The token is in no file; where it was, there is ${dim(JSON.stringify(headers))}`)
    }
    return {
      lines: all.length,
      shown: chosen.length,
      unreadable,
      processes: names,
      secretsFound,
      impossibleByClock: impossible(byClock),
      impossibleMerged: impossible(merged),
      byMessage: Object.fromEntries(tally(all, ({ message }) => message)),
      shifts: Object.fromEntries(shifts),
      story: story.map(({ process, time, message, correlation }) => ({ process, time, message, correlation })),
    }
  },

  figure: ({ lines, impossibleByClock }) =>
    `${count(lines)} lines, ${impossibleByClock} of them in an impossible order by the clocks`,
})
