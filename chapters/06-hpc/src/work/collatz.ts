/**
 * The longest Collatz sequence: n → n / 2 for an even n, 3 n + 1 for an odd n, until 1. The search can be made to take
 * any time, and its state is small. https://oeis.org/A006877 lists the numbers that set records.
 */
import { linePlot } from '@repo/common/output/plots'

export interface CollatzState {
  /** The next number to try; all numbers below it are done. */
  next: number
  /** The number with the most steps so far, and the number of its steps. */
  best: number
  steps: number
  /** The program's lives: the numbers that each tried, and when it began and ended (ms since 1970). */
  lives: { from: number; to: number; startedAt: number; endedAt: number }[]
}

export function begin(): CollatzState {
  return { next: 1, best: 1, steps: 0, lives: [] }
}

export function isDone({ next }: CollatzState, below: number): boolean {
  return next >= below
}

/** Returns the state after `count` more numbers, or at the end. */
export function advance({ next, best, steps, lives }: CollatzState, below: number, count: number): CollatzState {
  const end = Math.min(below, next + count)
  for (let number = next; number < end; number++) {
    const taken = stepsOf(number)
    if (taken > steps) {
      best = number
      steps = taken
    }
  }
  const last = lives.at(-1)
  const now = last && { ...last, to: end, endedAt: Date.now() }
  return { next: end, best, steps, lives: now ? [...lives.slice(0, -1), now] : lives }
}

/** The number of steps to 1. Exact for sequences that stay below 2^53, as all sequences from below 10^8 do. */
export function stepsOf(number: number): number {
  let steps = 0
  for (let n = number; n !== 1; steps++) {
    const half = n / 2
    // Several times as fast as the % operator, which needs a function call for numbers beyond 32 bits.
    n = half === Math.floor(half) ? half : 3 * n + 1
  }
  return steps
}

/** When the first life of these jobs began, in ms since 1970. */
const beginOf = (...states: CollatzState[]) =>
  Math.min(...states.flatMap(({ lives }) => lives.map(({ startedAt }) => startedAt)))

/** The first job's lives, in ms from the beginning of both jobs, and how long it waited between its lives. */
export function livesOf(limited: CollatzState, whole: CollatzState) {
  const begin = beginOf(limited, whole)
  const lives = limited.lives.map(({ from, to, startedAt, endedAt }) => ({
    from,
    to,
    startMs: startedAt - begin,
    ms: endedAt - startedAt,
  }))
  const idleMs = lives.reduce((sum, life, at) => {
    const before = lives[at - 1]
    return sum + (before ? life.startMs - before.startMs - before.ms : 0)
  }, 0)
  return { lives, idleMs }
}

/** Draws the progress of both jobs over time. Returns SVG text. */
export function drawLives(limited: CollatzState, whole: CollatzState): string {
  const begin = beginOf(limited, whole)
  const points = ({ lives }: CollatzState) =>
    lives.flatMap(({ from, to, startedAt, endedAt }) => [
      { x: (startedAt - begin) / 1000, y: from },
      { x: (endedAt - begin) / 1000, y: to },
    ])
  return linePlot({
    title: 'A job in several lives, and one in one go',
    subtitle: 'flat: saved, and waiting for the scheduler; both jobs shared the same cores',
    x: { label: 'seconds' },
    y: { label: 'numbers done' },
    marginLeft: 90,
    series: [
      { name: 'stopped and submitted again', points: points(limited) },
      { name: 'without a walltime', points: points(whole), style: 'dashed' },
    ],
  })
}
