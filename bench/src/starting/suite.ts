/** How long a reader waits: for the help of `start` in each chapter, and for the first line of what the chapter shows first. */
import { execFile } from 'node:child_process'
import { existsSync, readdirSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { median } from '@repo/common/measure'
import { barPlot, palette } from '@repo/common/output/plots'
import { milliseconds, times } from '@repo/common/output/terminal'
import { startServer } from '@repo/common/process/child'
import { measured, type Suite } from '../harness/suite.ts'
import { type Participant, ratiosOf, takeTurns } from '../harness/turns.ts'

const metrics = {
  helpMs: { label: 'start --help', better: 'less' },
  firstLineMs: { label: 'first line', better: 'less' },
} as const

const rounds = { quick: 1, full: 7 }
const limitMs = 60_000

const chaptersFolder = fileURLToPath(new URL('../../../chapters', import.meta.url))
const chapters = readdirSync(chaptersFolder)
  .filter((name) => existsSync(join(chaptersFolder, name, 'package.json')))
  .sort()

interface Commands {
  cwd: string
  help: string[]
  /** Prints a line, and may then go on. */
  headline: string[]
}

/** Node alone: nothing of ours can be faster. */
const limit: Commands = { cwd: chaptersFolder, help: ['-p', '1'], headline: ['-p', '1'] }

async function commandsOf(chapter: string): Promise<Commands> {
  const cwd = join(chaptersFolder, chapter)
  const { scripts } = JSON.parse(await readFile(join(cwd, 'package.json'), 'utf8')) as { scripts: { start: string } }
  // As pnpm runs it, with this Node.
  const start = scripts.start.split(' ').slice(1)
  return { cwd, help: [...start, '--help'], headline: [...start, '--quick'] }
}

// #region round
async function round({ cwd, help, headline }: Commands, signal: AbortSignal) {
  const begin = performance.now()
  await promisify(execFile)(process.execPath, help, { cwd, signal })
  const helpMs = performance.now() - begin
  const started = performance.now()
  await using _running = await startServer({ command: process.execPath, args: headline, cwd, ready: /./, signal })
  return { helpMs, firstLineMs: performance.now() - started }
}
// #endregion round

export const starting: Suite = {
  metrics,
  contenders: {
    node: { label: 'the limit: node' },
    ...Object.fromEntries(chapters.map((name) => [name, { label: name }])),
  },

  async measure(rows, { quick, signal, onProgress }) {
    const participants: Participant[] = []
    for (const row of rows) {
      participants.push({
        row,
        round: async (stop) => round(row.id === 'node' ? limit : await commandsOf(row.id), stop),
      })
    }
    await takeTurns(participants, {
      metrics: Object.keys(metrics),
      rounds: rounds[quick ? 'quick' : 'full'],
      isWarm: quick,
      limitMs,
      signal,
      onProgress: (share) => onProgress('starting', share),
    })
  },

  tables: (rows) => [
    {
      title: 'From the command to what it prints',
      head: ['in', 'start --help', 'to node', 'first line', 'to node'],
      rows: measured(rows).map((row) => [
        row.label,
        ...(['helpMs', 'firstLineMs'] as const).flatMap((metric) => {
          const ratio = median(ratiosOf(row, metric))
          return [milliseconds(median(row.samples[metric] ?? [])), Number.isNaN(ratio) ? '–' : times(ratio)]
        }),
      ]),
      notes: [
        "What `pnpm start` runs in the folder of the chapter, without pnpm. First line: of the chapter's headline, with --quick. The limit: node -p 1.",
      ],
    },
  ],
  pictures: (rows) => ({
    starting: barPlot({
      title: 'To the first line of a chapter’s headline',
      subtitle: 'from the start of the process; median of the rounds',
      x: { label: 'milliseconds' },
      bars: measured(rows).map((row, at) => {
        const ms = median(row.samples.firstLineMs ?? [])
        return { name: row.label, value: ms, label: milliseconds(ms), color: palette[at === 0 ? 1 : 0] }
      }),
    }),
  }),
}
