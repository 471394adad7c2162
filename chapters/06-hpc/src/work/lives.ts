/** The lives of a job that was stopped and submitted again, beside a job in one go: in figures and as a picture. */
import { linePlot } from '@repo/common/output/plots'
import type { CollatzState } from './collatz.ts'

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

/** Draws how far both jobs were at each time. Returns SVG text. */
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
