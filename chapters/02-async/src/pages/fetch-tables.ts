/** What came of fetching many pages, as tables. */
import { milliseconds, percent, table } from '@repo/common/output/terminal'

export interface Strategy {
  name: string
  ms: number
  theoryMs: number
  /** Pages that arrived. */
  ok: number
  attempts: number
  /** The longest time for which the event loop did nothing else. */
  standstillMs: number
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

/** Lines about the pages of the last way that failed at least once; none when all went well. */
export function troubledTable(
  requests: readonly { page: number; failures: string[]; ok: boolean }[],
  limit: number,
): string[] {
  const troubled = requests.filter(({ failures }) => failures.length > 0)
  if (troubled.length === 0) return []
  const shown = troubled.slice(0, mostShown)
  return [
    '',
    table(
      [`${limit} at a time: page`, 'what went wrong', 'in the end'],
      shown.map(({ page, failures, ok }) => [String(page), failures.join(', '), ok ? 'fetched' : 'given up']),
    ),
    ...(shown.length < troubled.length ? [`… and ${troubled.length - shown.length} more`] : []),
  ]
}
