/** The order that each kind of clock gives the events: judged by what could have caused what, and drawn. */

import { setImmediate as nextTurn } from 'node:timers/promises'
import { largest, smallest } from '@repo/common/extremes'
import { draw, palette } from '@repo/common/output/plots'
import type { ClockEvent } from './clocks.ts'
import { compareHybrid, happenedBefore } from './logical.ts'

export interface Verdict {
  clock: string
  /** Pairs in which one event could have caused the other, but which the clock reverses or calls equal. */
  causesAfterEffects: number
  /** Messages that were received before they were sent, by this clock. */
  receivedBeforeSent: number
  /** Concurrent pairs that the clock orders anyway. */
  madeUp: number
}

export interface Judgement {
  events: number
  messages: number
  /** Pairs of events, and those of them that are concurrent: neither event could have caused the other. */
  pairs: number
  concurrent: number
  verdicts: Verdict[]
  /** The ids of the messages that were received before they were sent, by the wall clocks. */
  impossible: Set<string>
  /** The most by which a wall clock and a hybrid clock were wrong. A hybrid clock says whole milliseconds, rounded down. */
  wallErrorMs: number
  hybridErrorMs: number
}

/**
 * Compares the order that each clock gives the events with what could have caused what. There may be a hundred million
 * pairs, so they are counted, not stored, and the event loop gets a turn after each event.
 *
 * @param corrections for each process, what to add to its wall clock
 * @param onProgress called with the share of the work that is done
 */
export async function judge(
  events: readonly ClockEvent[],
  corrections: readonly number[],
  { signal, onProgress }: { signal?: AbortSignal; onProgress?: (share: number) => void } = {},
): Promise<Judgement> {
  const corrected = ({ wall, process }: ClockEvent) => wall + (corrections[process] ?? 0)
  const orders: Record<string, (a: ClockEvent, b: ClockEvent) => number> = {
    'wall clock': (a, b) => a.wall - b.wall,
    'wall clock, corrected': (a, b) => corrected(a) - corrected(b),
    Lamport: (a, b) => a.lamport - b.lamport,
    vector: (a, b) => Number(isBefore(b, a)) - Number(isBefore(a, b)),
    hybrid: (a, b) => compareHybrid(a.hybrid, b.hybrid),
  }
  const sent = new Map(events.filter(({ what }) => what === 'send').map((event) => [event.message, event]))
  const messages = events.flatMap((event): [ClockEvent, ClockEvent][] => {
    const sending = event.what === 'receive' ? sent.get(event.message) : undefined
    return sending ? [[sending, event]] : []
  })
  const judged = Object.entries(orders).map(([clock, compare]) => {
    const receivedBeforeSent = messages.filter(([sending, receipt]) => compare(sending, receipt) > 0).length
    return { compare, verdict: { clock, causesAfterEffects: 0, receivedBeforeSent, madeUp: 0 } }
  })
  let concurrent = 0
  for (const [at, a] of events.entries()) {
    await nextTurn(undefined, { signal })
    // The first events have the most others to be compared with.
    onProgress?.(1 - (1 - at / events.length) ** 2)
    for (let other = at + 1; other < events.length; other++) {
      const b = events[other] as ClockEvent
      const order = Number(isBefore(b, a)) - Number(isBefore(a, b))
      if (order === 0) concurrent++
      for (const { compare, verdict } of judged) {
        const says = compare(a, b)
        if (order === 0) verdict.madeUp += Number(says !== 0)
        else verdict.causesAfterEffects += Number(says * order <= 0)
      }
    }
  }
  return {
    events: events.length,
    messages: messages.length,
    pairs: (events.length * (events.length - 1)) / 2,
    concurrent,
    verdicts: judged.map(({ verdict }) => verdict),
    impossible: new Set(
      messages.flatMap(([sending, { wall }]) => (sending.wall > wall ? [sending.message ?? ''] : [])),
    ),
    wallErrorMs: largest(events.map(({ wall, trueMs }) => Math.abs(wall - trueMs))),
    hybridErrorMs: largest(events.map(({ hybrid, trueMs }) => Math.abs(hybrid.ms - trueMs))),
  }
}

/** Lamport's happened-before, by the vector clocks. */
const isBefore = (a: ClockEvent, b: ClockEvent) => happenedBefore(a.vector, b.vector)

const [blue, , , , red, grey] = palette
/** With more events the picture would be unreadable. */
const mostEvents = 45

/**
 * Draws the first events as a space-time diagram: a line for each process, its events at the times of its own wall
 * clock, and the messages.
 *
 * @param impossible the ids of the messages to draw in red
 * @returns SVG text
 */
export function drawSpaceTime(events: readonly ClockEvent[], impossible: ReadonlySet<string>, title: string): string {
  const shown = events.toSorted((a, b) => a.trueMs - b.trueMs).slice(0, mostEvents)
  const begin = smallest(shown.map(({ wall }) => wall))
  const at = ({ wall }: ClockEvent) => wall - begin
  const arrows = shown.flatMap((sending) => {
    const receipt = shown.find(({ what, message }) => what === 'receive' && message === sending.message)
    if (sending.what !== 'send' || !receipt) return []
    const lies = impossible.has(sending.message ?? '')
    return [{ x1: at(sending), x2: at(receipt), y1: sending.process, y2: receipt.process, lies }]
  })
  const processes = [...new Set(shown.map(({ process }) => process))].sort((a, b) => a - b)
  const ends = { x1: 'x1', x2: 'x2', y1: 'y1', y2: 'y2', headLength: 6, strokeWidth: 1.5 }
  return draw({
    title,
    subtitle:
      'Each event at the time of its own process. Small numbers: Lamport. A message that goes to the left arrives before it was sent.',
    width: 900,
    height: 130 + 70 * processes.length,
    marginLeft: 84,
    grid: false,
    x: { label: "ms by the process's own wall clock" },
    y: {
      label: '',
      domain: [(processes.at(-1) ?? 0) + 0.4, -0.4],
      ticks: processes,
      tickFormat: (process) => (process === 0 ? 'process 0' : `process ${process}`),
    },
    legend: [
      { name: 'a message', color: blue },
      { name: 'received before it was sent, by the wall clocks', color: red },
    ],
    marks: (plot) => [
      plot.ruleY(processes, { stroke: grey, strokeOpacity: 0.6 }),
      plot.arrow(
        arrows.filter(({ lies }) => !lies),
        { ...ends, stroke: blue },
      ),
      plot.arrow(
        arrows.filter(({ lies }) => lies),
        { ...ends, stroke: red },
      ),
      plot.dot(shown, { x: at, y: 'process', fill: grey, r: 3 }),
      plot.text(shown, { x: at, y: 'process', text: 'lamport', fill: 'currentColor', dy: -9, fontSize: 9 }),
    ],
  })
}
