/**
 * Traces as a waterfall: each span is a bar as long as it took, below the span that caused it. A trace that is linked to
 * a span of another one says so.
 */
import { largest, smallest } from '@repo/common/extremes'
import { dim, milliseconds, red } from '@repo/common/output/terminal'
import { timeline } from '@repo/common/output/timeline'
import type { Span } from './collector.ts'

export interface Row {
  span: Span
  /** 0 for the first span. */
  depth: number
  /** The span is its own parent, or that of one of its parents: only a faulty sender writes that. */
  inCircle: boolean
}

/** Returns the spans of a trace, and of all traces that links connect with it, in either direction. */
export function linkedSpans(spans: readonly Span[], traceId: string): Span[] {
  const pairs = spans.flatMap((span) =>
    span.links.flatMap((link) => [[span.traceId, link.traceId] as const, [link.traceId, span.traceId] as const]),
  )
  const neighbours = Map.groupBy(pairs, ([from]) => from)
  const known = new Set([traceId])
  // A set's loop also reaches what is added during the loop.
  for (const id of known) for (const [, to] of neighbours.get(id) ?? []) known.add(to)
  return spans.filter((span) => known.has(span.traceId))
}

/**
 * Returns the spans of traces, each once and below its parent, in order of their starts. A span whose parent is missing
 * has depth 0; so has the first of spans that are each other's parents.
 */
export function waterfall(spans: readonly Span[]): Row[] {
  const byId = new Map(spans.map((span) => [span.spanId, span]))
  const sorted = spans.toSorted((a, b) => a.startMs - b.startMs)
  const children = Map.groupBy(sorted, ({ parentId }) =>
    parentId !== undefined && byId.has(parentId) ? parentId : undefined,
  )
  const circles = circlesOf(byId)
  const rows = new Map<Span, Row>()
  // What is in a circle, or below one, is below no root.
  const roots = children.get(undefined) ?? []
  for (const first of [...roots, ...sorted]) {
    // Not a recursion, because a trace may be deeper than the stack.
    const stack = [{ span: first, depth: 0 }]
    for (let next = stack.pop(); next; next = stack.pop()) {
      const { span, depth } = next
      if (rows.has(span)) continue
      rows.set(span, { span, depth, inCircle: circles.has(span.spanId) })
      for (const child of children.get(span.spanId)?.toReversed() ?? []) stack.push({ span: child, depth: depth + 1 })
    }
  }
  return [...rows.values()]
}

/** Returns how many traces and links there are, and how many of them are not whole. */
export function wholeness(spans: readonly Span[]) {
  const known = new Set(spans.map(({ traceId, spanId }) => `${traceId} ${spanId}`))
  const traces = [...Map.groupBy(spans, ({ traceId }) => traceId).values()]
  const links = spans.flatMap(({ links }) => links)
  return {
    traces: traces.length,
    /** Traces whose spans are not one tree. */
    halves: traces.filter((own) => waterfall(own).filter(({ depth }) => depth === 0).length !== 1).length,
    links: links.length,
    /** Links to spans that are not there. */
    loose: links.filter(({ traceId, spanId }) => !known.has(`${traceId} ${spanId}`)).length,
  }
}

/** Returns the ids of the spans that are among their own ancestors. */
function circlesOf(byId: ReadonlyMap<string, Span>): Set<string> {
  const circles = new Set<string>()
  const seen = new Set<string>()
  for (const first of byId.keys()) {
    const way = new Set<string>()
    let at: string | undefined = first
    while (at !== undefined && byId.has(at) && !seen.has(at)) {
      seen.add(at)
      way.add(at)
      at = byId.get(at)?.parentId
    }
    // It has come back to its own way: from there on it goes round.
    if (at === undefined || !way.has(at)) continue
    const steps = [...way]
    for (const id of steps.slice(steps.indexOf(at))) circles.add(id)
  }
  return circles
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

/** Deeper spans are not indented further: their depth is a number. */
const deepestIndent = 12

/** Returns the name of a row's span, indented, and with what is wrong about it. */
function titleOf({ span: { name, attributes }, depth, inCircle }: Row, indent: string): string {
  const shown = attributes['db.system.name'] === 'redis' ? `Redis ${name}` : name
  const beyond = depth > deepestIndent ? `${depth}: ` : ''
  return indent.repeat(Math.min(depth, deepestIndent)) + beyond + (inCircle ? '↻ ' : '') + shown
}

/** Returns a trace's id as short as people write it. */
const shortId = (traceId: string) => traceId.slice(0, 8)

/** Returns the links to other traces, each with the span at its other end; undefined if that was not recorded. */
function linksOf(rows: readonly Row[]): { row: number; span: Span; traceId: string; to: number | undefined }[] {
  const links = rows.flatMap(({ span }, row) =>
    span.links.flatMap((link) => (link.traceId === span.traceId ? [] : [{ row, span, ...link }])),
  )
  const wanted = new Set(links.map(({ spanId }) => spanId))
  const found = new Map(rows.flatMap(({ span: { spanId } }, row) => (wanted.has(spanId) ? [[spanId, row]] : [])))
  return links.map(({ row, span, traceId, spanId }) => ({ row, span, traceId, to: found.get(spanId) }))
}

/**
 * Returns a line for each span: its name below its parent's, its process, how long it took, and when. ✗ has failed. Above
 * a span that is linked to another trace, ⇠ names both.
 */
export function waterfallText(rows: readonly Row[], width: number): string[] {
  const whole = extent(rows.map(({ span }) => span))
  const links = Map.groupBy(linksOf(rows), ({ row }) => row)
  return rows.flatMap((row, at) => {
    const { span } = row
    const title = titleOf(row, '  ').padEnd(36).slice(0, 36)
    const took = milliseconds(span.endMs - span.startMs).padStart(8)
    const drawn = bar(span, whole, width)
    const line = [title, dim(span.process.padEnd(11)), took, span.failed ? red(`${drawn.trimEnd()} ✗`) : drawn]
    const above = (links.get(at) ?? []).map(({ traceId, to }) => {
      const name = to === undefined ? 'a span that was not recorded' : rows[to]?.span.name
      return dim(`⇠ trace ${shortId(span.traceId)}, linked to ${name} of trace ${shortId(traceId)}`)
    })
    return [...above, line.join(' ')]
  })
}

/** More spans than these are no picture. */
const mostDrawn = 500

/**
 * Draws a line for each of the first spans, in the colour of its process, and a dashed arrow for each link to another
 * trace. Returns SVG text.
 */
export function drawWaterfall(all: readonly Row[], about: string): string {
  const rows = all.slice(0, mostDrawn)
  const subtitle = all.length > mostDrawn ? `${about}; the first ${mostDrawn}` : about
  const { startMs } = extent(rows.map(({ span }) => span))
  const traces = new Set(all.map(({ span }) => span.traceId)).size
  return timeline({
    title: traces === 1 ? 'One order, one trace' : `One order, ${traces} linked traces`,
    subtitle,
    rowHeight: 16,
    kinds: Object.fromEntries(rows.map(({ span }) => [span.process, {}])),
    rows: rows.map((row) => ({
      name: titleOf(row, '\u00a0\u00a0'),
      spans: [{ kind: row.span.process, from: row.span.startMs - startMs, to: row.span.endMs - startMs }],
      ...(traces > 1 && row.depth === 0 && { note: `trace ${shortId(row.span.traceId)}` }),
    })),
    arrows: linksOf(rows).flatMap(({ row, span, to }) => {
      const cause = to === undefined ? undefined : rows[to]?.span
      if (to === undefined || !cause) return []
      // A worker may have the job before its sender learns that it is in the queue.
      const sentMs = Math.min(cause.endMs, span.startMs)
      return { from: { row: to, at: sentMs - startMs }, to: { row, at: span.startMs - startMs } }
    }),
  })
}
