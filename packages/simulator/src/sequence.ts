/** A history as rows and columns: what a message diagram shows, before anything is drawn. */
import type { Happening, Sent } from './simulator.ts'

/** A moment of a history. Each has a row of its own. */
export interface Moment {
  line: Happening
  atMs: number
  /** The arrival of a message, not its sending. */
  isEnd: boolean
}

/** A message. Columns and rows count from 0 and need not be whole. */
export interface Arrow {
  line: Sent
  from: number
  to: number
  begin: number
  end: number
  text: string
  lost: boolean
}

/** A fault that strikes a node. */
export interface Mark {
  column: number
  row: number
  text: string
  /** The text is on the right, unless an arrow's text is already there and the left is free. */
  isOnLeft: boolean
}

/**
 * Returns the moments of a history in time order, and where its messages and faults belong. A message that never arrives
 * has both moments as well, and its arrow stops short of the receiver.
 *
 * @param columns the nodes, from left to right
 */
export function layOut(
  history: readonly Happening[],
  columns: readonly string[],
): { moments: Moment[]; arrows: Arrow[]; marks: Mark[] } {
  const moments = history
    .flatMap((line): Moment[] => {
      if (line.kind === 'node') return [{ line, atMs: line.atMs, isEnd: false }]
      return [
        { line, atMs: line.sentMs, isEnd: false },
        { line, atMs: line.arrivesMs, isEnd: true },
      ]
    })
    .sort((a, b) => a.atMs - b.atMs)
  const rows = new Map<Happening, { begin: number; end: number }>()
  for (const [row, { line, isEnd }] of moments.entries()) {
    rows.set(line, { begin: isEnd ? (rows.get(line)?.begin ?? row) : row, end: row })
  }
  const arrows = history.flatMap((line): Arrow[] => {
    if (line.kind === 'node') return []
    const { begin = 0, end = 0 } = rows.get(line) ?? {}
    const [from, to] = [columns.indexOf(line.from), columns.indexOf(line.to)]
    const reaches = line.lost ? 0.7 : 1
    const text = line.lost ? `${line.text} (${line.lost})` : line.text
    const ends = { to: from + reaches * (to - from), end: begin + reaches * (end - begin) }
    return [{ line, from, begin, ...ends, text, lost: Boolean(line.lost) }]
  })
  const isTaken = (column: number, row: number) =>
    arrows.some(({ from, to, begin, end }) => {
      return Math.abs((from + to) / 2 - column) < 0.4 && Math.abs((begin + end) / 2 - row) < 2.5
    })
  const marks = history.flatMap((line): Mark[] => {
    if (line.kind === 'message') return []
    const [column, row] = [columns.indexOf(line.node), rows.get(line)?.begin ?? 0]
    const isOnLeft = column > 0 && isTaken(column + 0.5, row) && !isTaken(column - 0.5, row)
    return [{ column, row, text: line.text, isOnLeft }]
  })
  return { moments, arrows, marks }
}
