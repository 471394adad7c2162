/** The ladder of latencies: how long it takes to have something done and to know that it is done. */

import { setImmediate as onNextTurn } from 'node:timers'
import { setImmediate } from 'node:timers/promises'
import { coreCount } from '@repo/common/cores'
import { draw, palette } from '@repo/common/output/plots'
import { duration } from '@repo/common/output/terminal'

export interface Rung {
  name: string
  /** How many trips in a row make one sample, for trips too short for the clock; 1 by default. */
  batch?: number
  /** A slow rung takes one sample where others take this many; 1 by default. */
  share?: number
  /** Makes `times` trips in a row. Several functions make their trips at the same time. */
  trip: Trip | Trip[]
}

type Trip = (times: number) => unknown

/** After this many samples a measurement lets the event loop turn, so that Ctrl-C is heard. */
const breathEvery = 100

/** Takes about `samples / share` samples of a rung. Returns the nanoseconds of one trip for each. */
export async function measure(
  { trip, batch = 1, share = 1 }: Rung,
  samples: number,
  signal?: AbortSignal,
): Promise<number[]> {
  const trips = [trip].flat()
  const each = Math.ceil(Math.ceil(samples / share) / trips.length)
  const times = await Promise.all(
    trips.map(async (trip) => {
      // #region sample
      const times: number[] = []
      while (times.length < each) {
        if (times.length % breathEvery === 0) await setImmediate(undefined, { signal })
        const begin = process.hrtime.bigint()
        await trip(batch)
        times.push(Number(process.hrtime.bigint() - begin) / batch)
      }
      // #endregion sample
      return times
    }),
  )
  return times.flat()
}

/** Calls itself: recursion is the one kind of call that the compiler never inlines. */
function descend(levels: number): number {
  return levels === 0 ? 0 : descend(levels - 1) + 1
}

const depth = 1_000

/** Calls a function `times` times, a multiple of 1,000. */
export function callFunctions(times: number): void {
  for (let done = 0; done < times; done += depth) descend(depth)
}

/** Awaits a value that is already there, `times` times: each await costs a microtask. */
export async function awaitNothing(times: number): Promise<void> {
  for (let i = 0; i < times; i++) await undefined
}

/** Resolves after `times` turns of the event loop. */
export function turnLoop(times: number): Promise<void> {
  return new Promise((resolve) => {
    const next = (left: number) => (left === 0 ? resolve() : void onNextTurn(next, left - 1))
    next(times)
  })
}

/** Draws the rungs from the top down; times in nanoseconds. Returns SVG text. */
export function drawLadder(rungs: readonly { name: string; medianNs: number; p99Ns: number }[]): string {
  return draw({
    title: 'The ladder of latencies',
    subtitle: `there and back: the median as a dot, with its value, the line ends at the 99th percentile; ${coreCount()} cores`,
    x: { label: 'time', type: 'log', domain: [1, 1e9], ticks: 10, tickFormat: (ns) => duration(Number(ns)) },
    y: { label: '', type: 'band', domain: rungs.map(({ name }) => name) },
    height: 110 + 34 * rungs.length,
    marginLeft: 230,
    marginRight: 40,
    marks: (plot) => [
      plot.link(rungs, { x1: 'medianNs', x2: 'p99Ns', y: 'name', stroke: palette[0], strokeWidth: 3, opacity: 0.5 }),
      plot.dot(rungs, { x: 'medianNs', y: 'name', fill: palette[0], r: 5 }),
      plot.text(rungs, {
        x: 'p99Ns',
        y: 'name',
        text: ({ medianNs }) => duration(medianNs),
        dx: 9,
        textAnchor: 'start',
      }),
    ],
  })
}
