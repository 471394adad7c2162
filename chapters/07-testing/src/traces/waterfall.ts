/** A trace as a waterfall: each span below the one that caused it, as long as it took. */
import type { Span } from './collector.ts'

export interface Row {
  span: Span
  /** 0 for the first one. */
  depth: number
}

/** The spans of one trace, each below its parent, in the order of their starts. One whose parent is missing stands at the left. */
export function waterfall(spans: readonly Span[]): Row[] {
  const known = new Set(spans.map(({ spanId }) => spanId))
  const children = Map.groupBy(spans, ({ parentId }) => (parentId !== undefined && known.has(parentId) ? parentId : ''))
  const rows: Row[] = []
  const add = (parent: string, depth: number) => {
    for (const span of (children.get(parent) ?? []).toSorted((a, b) => a.startMs - b.startMs)) {
      rows.push({ span, depth })
      add(span.spanId, depth + 1)
    }
  }
  add('', 0)
  return rows
}

/** From the first start to the last end, in ms. */
export function extent(spans: readonly Span[]): { startMs: number; endMs: number } {
  return {
    startMs: Math.min(...spans.map(({ startMs }) => startMs)),
    endMs: Math.max(...spans.map(({ endMs }) => endMs)),
  }
}

/** How long each process was at work on the trace: the time covered by its spans, without the waiting between them. */
export function busyMs(spans: readonly Span[]): Map<string, number> {
  const busy = new Map<string, number>()
  for (const [process, own] of Map.groupBy(spans, ({ process }) => process)) {
    let until = Number.NEGATIVE_INFINITY
    let total = 0
    for (const { startMs, endMs } of own.toSorted((a, b) => a.startMs - b.startMs)) {
      total += Math.max(0, endMs - Math.max(startMs, until))
      until = Math.max(until, endMs)
    }
    busy.set(process, total)
  }
  return busy
}

/** A bar of text: where the span lies in the trace. Returns `width` characters. */
export function bar({ startMs, endMs }: Span, whole: { startMs: number; endMs: number }, width: number): string {
  const scale = width / Math.max(1e-9, whole.endMs - whole.startMs)
  const from = Math.min(width - 1, Math.floor((startMs - whole.startMs) * scale))
  const length = Math.max(1, Math.min(width - from, Math.round((endMs - startMs) * scale)))
  return ' '.repeat(from) + (length === 1 ? '▏' : '█'.repeat(length)).padEnd(width - from)
}
