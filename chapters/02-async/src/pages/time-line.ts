/** Requests over time as a picture: one band for each way, one line for each request, from its start to its end. */
import { draw, Plot, palette } from '@repo/common/output/plots'

export interface Band {
  name: string
  /** In milliseconds since the way began; in the order in which they are drawn from the top. */
  requests: { startMs: number; endMs: number; ok: boolean; failures: string[] }[]
}

/** Returns SVG text. */
export function timeLine(bands: Band[]): string {
  const rows = Math.max(...bands.map(({ requests }) => requests.length))
  const bandRows = rows * 1.25
  const lines = bands.flatMap(({ requests }, band) =>
    requests.map(({ startMs, endMs, ok, failures }, row) => ({
      y: band * bandRows + row,
      startMs,
      endMs,
      color: !ok ? palette[4] : failures.length > 0 ? palette[1] : palette[0],
    })),
  )
  const height = 520
  const middles = bands.map((_, band) => band * bandRows + rows / 2)
  return draw({
    title: 'When each page was asked for and when it was there',
    subtitle: 'one line for each page, the first page of each way at the top',
    x: { label: 'time in ms' },
    y: {
      label: '',
      domain: [bands.length * bandRows - rows * 0.25, -1],
      ticks: middles,
      tickFormat: (middle) => bands[middles.indexOf(Number(middle))]?.name ?? '',
    },
    height,
    marginLeft: 140,
    marks: [
      Plot.link(lines, {
        x1: 'startMs',
        x2: 'endMs',
        y1: 'y',
        y2: 'y',
        stroke: 'color',
        strokeWidth: Math.max(0.5, Math.min(4, (0.7 * (height - 130)) / (bands.length * bandRows))),
      }),
    ],
    legend: [
      { name: 'fetched', color: palette[0] },
      { name: 'fetched after a failure', color: palette[1] },
      { name: 'given up', color: palette[4] },
    ],
  })
}
