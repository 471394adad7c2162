/** What became of many pages, fetched in several ways: as data, as tables and as a picture. */
import { palette } from '@repo/common/output/plots'
import { milliseconds, percent, table } from '@repo/common/output/terminal'
import { timeline } from '@repo/common/output/timeline'
import type { Watched } from '../event-loop/loop-delay.ts'
import type { Fetched } from './retry.ts'

/** One way to fetch the pages, and what became of them. */
export type Strategy = ReturnType<typeof strategyOf>

/** @param watched the fetching of pages 0, 1, 2, … */
export function strategyOf(name: string, theoryMs: number, watched: Watched<Fetched[]>) {
  const { result: pages, startMs: start, ms, longestDelayMs } = watched
  return {
    name,
    ms,
    theoryMs,
    /** The longest time in which the event loop did nothing else. */
    standstillMs: longestDelayMs,
    /** How many pages arrived. */
    ok: pages.filter(({ ok }) => ok).length,
    attempts: pages.reduce((sum, { failures, ok }) => sum + failures.length + Number(ok), 0),
    bytes: pages.reduce((sum, { bytes }) => sum + bytes, 0),
    /** Times in milliseconds since the way began. */
    requests: pages.map(({ startMs, endMs, ...fetched }, page) => ({
      page,
      ...fetched,
      startMs: startMs - start,
      endMs: endMs - start,
    })),
  }
}

export function strategiesTable(strategies: readonly Strategy[]): string {
  return table(
    ['', 'time', 'in theory', 'more', 'pages', 'requests', 'event loop stood still for'],
    strategies.map(({ name, ms, theoryMs, ok, attempts, standstillMs }) => [
      name,
      milliseconds(ms),
      milliseconds(theoryMs),
      percent(ms / theoryMs - 1),
      ok,
      attempts,
      milliseconds(standstillMs),
    ]),
  )
}

const mostShown = 20

/** Lines about the pages that failed at least once; none if all went well. */
export function troubledTable({ name, requests }: Strategy): string[] {
  const troubled = requests.filter(({ failures }) => failures.length > 0)
  if (troubled.length === 0) return []
  const shown = troubled.slice(0, mostShown)
  return [
    '',
    table(
      [`${name}: page`, 'what went wrong', 'in the end'],
      shown.map(({ page, failures, ok }) => [String(page), failures.join(', '), ok ? 'fetched' : 'given up']),
    ),
    ...(shown.length < troubled.length ? [`… and ${troubled.length - shown.length} more`] : []),
  ]
}

/** A row for each way, with a line for each page. Returns SVG text. */
export function drawStrategies(strategies: readonly Strategy[]): string {
  return timeline({
    title: 'When each page was requested, and when it had arrived',
    subtitle: 'one line for each page, the first page of each way at the top',
    rowHeight: 100,
    kinds: { fetched: {}, 'fetched after a failure': {}, 'given up': { color: palette[4] } },
    rows: strategies.map(({ name, requests }) => ({
      name,
      lines: 'each',
      spans: requests.map(({ startMs, endMs, ok, failures }) => ({
        kind: !ok ? 'given up' : failures.length > 0 ? 'fetched after a failure' : 'fetched',
        from: startMs,
        to: endMs,
      })),
    })),
  })
}
