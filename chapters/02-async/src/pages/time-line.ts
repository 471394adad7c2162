/** Requests over time as a picture: a row for each way, with a line for each request, from its start to its end. */
import { palette } from '@repo/common/output/plots'
import { timeline } from '@repo/common/output/timeline'

export interface Way {
  name: string
  /** In milliseconds since the way began; in the order in which they are drawn from the top. */
  requests: { startMs: number; endMs: number; ok: boolean; failures: string[] }[]
}

/** @returns SVG text */
export function timeLine(ways: readonly Way[]): string {
  return timeline({
    title: 'When each page was requested, and when it had arrived',
    subtitle: 'one line for each page, the first page of each way at the top',
    rowHeight: 100,
    kinds: { fetched: {}, 'fetched after a failure': {}, 'given up': { color: palette[4] } },
    rows: ways.map(({ name, requests }) => ({
      name,
      lines: 'each' as const,
      spans: requests.map(({ startMs, endMs, ok, failures }) => ({
        kind: !ok ? 'given up' : failures.length > 0 ? 'fetched after a failure' : 'fetched',
        from: startMs,
        to: endMs,
      })),
    })),
  })
}
