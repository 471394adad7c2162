/** A trace as a waterfall: each span is a bar as long as it took, below the span that caused it. */
import { largest, smallest } from '@repo/common/extremes'
import { timeline } from '@repo/common/output/timeline'
import type { Span } from './collector.ts'

export interface Row {
  span: Span
  /** 0 for the first span. */
  depth: number
}

/**
 * Returns the spans of a trace, each once and below its parent, in order of their starts. A span whose parent is missing
 * has depth 0; so has the first of spans that are each other's parents, which only a faulty sender writes.
 */
export function waterfall(spans: readonly Span[]): Row[] {
  const known = new Set(spans.map(({ spanId }) => spanId))
  const sorted = spans.toSorted((a, b) => a.startMs - b.startMs)
  const children = Map.groupBy(sorted, ({ parentId }) =>
    parentId !== undefined && known.has(parentId) ? parentId : undefined,
  )
  const depths = new Map<Span, number>()
  // The spans in a circle are below no root.
  for (const first of [...(children.get(undefined) ?? []), ...sorted]) {
    // Not a recursion, because a trace may be deeper than the stack.
    const stack: Row[] = [{ span: first, depth: 0 }]
    for (let row = stack.pop(); row; row = stack.pop()) {
      const { span, depth } = row
      if (depths.has(span)) continue
      depths.set(span, depth)
      for (const child of children.get(span.spanId)?.toReversed() ?? []) stack.push({ span: child, depth: depth + 1 })
    }
  }
  return Array.from(depths, ([span, depth]) => ({ span, depth }))
}

/** Returns the first start and the last end, in ms. */
export function extent(spans: readonly Span[]): { startMs: number; endMs: number } {
  return {
    startMs: smallest(spans.map(({ startMs }) => startMs)),
    endMs: largest(spans.map(({ endMs }) => endMs)),
  }
}

/**
 * Returns how long each process worked on the trace: the time that its spans cover. Waiting between them does not
 * count.
 */
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

/** Returns `width` characters that show the span's position in the trace. */
export function bar({ startMs, endMs }: Span, whole: { startMs: number; endMs: number }, width: number): string {
  const scale = width / Math.max(1e-9, whole.endMs - whole.startMs)
  const from = Math.min(width - 1, Math.floor((startMs - whole.startMs) * scale))
  const length = Math.max(1, Math.min(width - from, Math.round((endMs - startMs) * scale)))
  return ' '.repeat(from) + (length === 1 ? '▏' : '█'.repeat(length)).padEnd(width - from)
}

/** Draws a line for each span, in the colour of its process. Returns SVG text. */
export function drawWaterfall(rows: readonly Row[], subtitle: string): string {
  const { startMs } = extent(rows.map(({ span }) => span))
  return timeline({
    title: 'One order, one trace',
    subtitle,
    rowHeight: 16,
    kinds: Object.fromEntries(rows.map(({ span }) => [span.process, {}])),
    rows: rows.map(({ span, depth }) => ({
      name: `${'\u00a0\u00a0'.repeat(depth)}${span.name}`,
      spans: [{ kind: span.process, from: span.startMs - startMs, to: span.endMs - startMs }],
    })),
  })
}
