/** Log lines of several processes: read, filtered, counted, and put into an order that is possible. */
import { largest, smallest } from '@repo/common/extremes'
import pino from 'pino'

export interface LogLine {
  /** The name of its process. */
  process: string
  /** By the process's wall clock, in ms; it may be wrong. */
  time: number
  level: string
  message: string
  order: string | undefined
  correlation: string | undefined
  /** The name of the message that the process sends with this line, or receives. */
  sends: string | undefined
  receives: string | undefined
  /** Everything else that was logged. */
  rest: Record<string, unknown>
}

/** A line that could not be read. */
export interface Unreadable {
  /** Says where and why. */
  unreadable: string
}

const shown = 60
const text = (value: unknown) => (typeof value === 'string' ? value : undefined)

/**
 * Reads a line. A line that another program wrote, or that a killed process did not finish, is not an error: logs
 * always have some, and the other lines are still wanted.
 *
 * @param written the line, without its end
 * @param where the file and line number, for lines that cannot be read
 */
export function parseLine(written: string, where: string): LogLine | Unreadable {
  // Some editors, and PowerShell, begin a file with a byte order mark.
  const line = written.replace(/^\uFEFF/, '')
  const quoted = JSON.stringify(line.length > shown ? `${line.slice(0, shown)}…` : line)
  let value: unknown
  try {
    value = JSON.parse(line)
  } catch {
    return { unreadable: `${where} cannot be read: ${quoted} is not JSON` }
  }
  if (typeof value !== 'object' || value === null)
    return { unreadable: `${where} cannot be read: ${quoted} is not an object` }
  const {
    name,
    time,
    level,
    msg,
    order,
    correlation,
    sends,
    receives,
    pid: _,
    hostname: __,
    ...rest
  } = value as Record<string, unknown>
  // pino writes numbers; with its usual formatters it writes words and ISO 8601.
  const at = typeof time === 'string' ? Date.parse(time) : time
  if (typeof name !== 'string' || typeof at !== 'number' || Number.isNaN(new Date(at).getTime())) {
    return { unreadable: `${where} cannot be read: ${quoted} has no name and time` }
  }
  return {
    process: name,
    time: at,
    level: levelOf(level),
    message: text(msg) ?? '',
    rest,
    order: text(order),
    correlation: text(correlation),
    sends: text(sends),
    receives: text(receives),
  }
}

function levelOf(level: unknown): string {
  const { labels, values } = pino.levels
  const word = typeof level === 'string' ? level.toLowerCase() : typeof level === 'number' ? labels[level] : undefined
  return word !== undefined && Object.hasOwn(values, word) ? word : 'info'
}

/** What the user wants to see. */
export interface Filter {
  /** This level and those above. */
  level?: string | undefined
  process?: string | undefined
  order?: string | undefined
  correlation?: string | undefined
  /** Matches the message or a value. */
  pattern?: RegExp | undefined
}

export function matches(line: LogLine, { level, process, order, correlation, pattern }: Filter): boolean {
  const rank = (name: string) => pino.levels.values[name] ?? 0
  return (
    (level === undefined || rank(line.level) >= rank(level)) &&
    (process === undefined || line.process === process) &&
    (order === undefined || line.order === order) &&
    (correlation === undefined || line.correlation === correlation) &&
    (pattern === undefined || pattern.test(`${line.message} ${JSON.stringify(line.rest)}`))
  )
}

/** Counts the lines of each kind, the most frequent first. */
export function tally(lines: readonly LogLine[], keyOf: (line: LogLine) => string): [key: string, count: number][] {
  const counts = new Map<string, number>()
  for (const line of lines) counts.set(keyOf(line), (counts.get(keyOf(line)) ?? 0) + 1)
  return [...counts].sort(([a, x], [b, y]) => y - x || a.localeCompare(b))
}

/** Counts the messages that are received in a line above the one that sends them, which cannot have happened. */
export function impossible(lines: readonly LogLine[]): number {
  const sentAt = new Map<string, number>()
  for (const [at, { sends }] of lines.entries()) if (sends !== undefined && !sentAt.has(sends)) sentAt.set(sends, at)
  const early = lines.filter(({ receives }, at) => receives !== undefined && (sentAt.get(receives) ?? -1) > at)
  return new Set(early.map(({ receives }) => receives)).size
}

/**
 * Returns by how much to move each process's clock, in ms, so that no message is received before it is sent: the
 * smallest shifts that will do, from the messages alone. A clock that is fast by less than its messages' latency looks
 * right.
 */
export function clockShifts(lines: readonly LogLine[]): Map<string, number> {
  const sent = new Map<string, LogLine>()
  for (const line of lines) if (line.sends !== undefined && !sent.has(line.sends)) sent.set(line.sends, line)
  // Between two processes, the message with the least slack counts.
  const needed = new Map<string, { from: string; to: string; ms: number }>()
  for (const { process: to, receives = '', time } of lines) {
    const sending = sent.get(receives)
    if (!sending || sending.process === to) continue
    const key = JSON.stringify([sending.process, to])
    const ms = Math.max(needed.get(key)?.ms ?? Number.NEGATIVE_INFINITY, sending.time - time)
    needed.set(key, { from: sending.process, to, ms })
  }
  const shifts = new Map([...new Set(lines.map(({ process }) => process))].map((process) => [process, 0]))
  // Longest paths, by Bellman and Ford. If clocks jump, there may be no solution, so the rounds are bounded.
  for (let round = 0; round < shifts.size; round++) {
    for (const { from, to, ms } of needed.values()) {
      shifts.set(to, Math.max(shifts.get(to) ?? 0, (shifts.get(from) ?? 0) + ms))
    }
  }
  return shifts
}

/**
 * Merges logs into one that respects cause and effect: the lines of a process keep their order, and a message is
 * received after it was sent. Where neither rule decides, the clocks do, moved by `clockShifts`.
 *
 * @param logs the lines of each process, in the order in which it wrote them
 */
export function mergeLogs(logs: readonly (readonly LogLine[])[]): LogLine[] {
  const shifts = clockShifts(logs.flat())
  const unsent = new Set(logs.flat().flatMap(({ sends }) => sends ?? []))
  const at = logs.map(() => 0)
  const merged: LogLine[] = []
  const total = logs.reduce((sum, log) => sum + log.length, 0)
  // #region merge
  while (merged.length < total) {
    let best: { log: number; line: LogLine; time: number; waits: boolean } | undefined
    for (const [log, lines] of logs.entries()) {
      const line = lines[at[log] ?? 0]
      if (!line) continue
      const time = line.time + (shifts.get(line.process) ?? 0)
      const waits = line.receives !== undefined && unsent.has(line.receives)
      // All lines wait only when a log contradicts itself. Then time decides.
      if (!best || (best.waits && !waits) || (best.waits === waits && time < best.time)) {
        best = { log, line, time, waits }
      }
    }
    if (!best) break
    at[best.log] = (at[best.log] ?? 0) + 1
    if (best.line.sends !== undefined) unsent.delete(best.line.sends)
    merged.push(best.line)
  }
  // #endregion merge
  return merged
}

/** Returns the shipped order whose lines have times furthest apart; any order if none was shipped. */
export function mostTornApart(lines: readonly LogLine[]): string | undefined {
  const shipped = lines.filter(({ receives }) => receives?.startsWith('shipping'))
  const times = Map.groupBy(lines, ({ order }) => order)
  const spread = (order: string | undefined) => {
    const all = (times.get(order) ?? []).map(({ time }) => time)
    return largest(all) - smallest(all)
  }
  const orders = (shipped.length > 0 ? shipped : lines).flatMap(({ order }) => order ?? [])
  return [...new Set(orders)].sort((a, b) => spread(b) - spread(a))[0]
}
