/** The results of the `ranks` example: each launch of the ranks leaves a file. */
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type Cost, costOf } from '@repo/common/cost'
import { median } from '@repo/common/measure'
import type { Run } from '../cluster/run.ts'
import { RemoteFileError } from '../ssh/sftp.ts'

export const ways = {
  ours: 'our ring in TypeScript, over TCP',
  tcp: 'Open MPI, over TCP',
  mpi: 'Open MPI, as it chooses',
} as const
export type Way = keyof typeof ways
type ByWay<Value> = Partial<Record<Way, Value>>

interface Outcome {
  size: number
  nodes: string[]
  hopUs: number
  reduceMs: number
  sum: number
}

/** What only our ranks measure: the same job by all ranks, and by one of them alone. */
interface OurOutcome extends Outcome {
  /** From the start of a rank's process until it is connected; a part of each `ms`. */
  startMs: number
  jobs: { steps: number; ms: number; aloneMs: number }[]
}

/** Fetches the outcomes of all rounds. Those of Open MPI are missing if the cluster does not have it. */
export async function fetchOutcomes(run: Run, rounds: number, signal: AbortSignal): Promise<ByWay<Outcome[]>> {
  const outcomes: ByWay<Outcome[]> = {}
  for (const way of Object.keys(ways) as Way[]) {
    const files = Array.from({ length: rounds }, (_, round) => `${way}.${round + 1}.json`)
    const results = await run.fetch(files, signal).catch((error) => {
      if (way === 'ours' || !(error instanceof RemoteFileError) || error.code !== 'ENOENT') throw error
    })
    if (results === undefined) continue
    const texts = await Promise.all(files.map((file) => readFile(join(results, file), 'utf8')))
    outcomes[way] = texts.map((text) => JSON.parse(text) as Outcome)
  }
  return outcomes
}

/** The medians of the rounds, and the sum that every round must produce. @throws an Error for a wrong sum */
export function summarize(outcomes: ByWay<Outcome[]>, ranks: number, length: number) {
  const sum = sumOf(ranks, length)
  const figures: ByWay<{ hopUs: number; reduceMs: number }> = {}
  for (const [way, list] of Object.entries(outcomes) as [Way, Outcome[]][]) {
    const wrong = list.find((each) => each.sum !== sum || each.size !== ranks)
    if (wrong) throw new Error(`${way}: ${wrong.size} ranks add up to ${wrong.sum}, not ${sum}`)
    figures[way] = {
      hopUs: median(list.map((each) => each.hopUs)),
      reduceMs: median(list.map((each) => each.reduceMs)),
    }
  }
  return { sum, figures }
}

/** The sum of all elements of the ranks' vectors, which are (rank + 1) · (i mod 1000). */
function sumOf(ranks: number, length: number): number {
  const whole = Math.floor(length / 1000)
  const rest = length % 1000
  return ((ranks * (ranks + 1)) / 2) * (whole * 499_500 + (rest * (rest - 1)) / 2)
}

/** A job by all ranks and on one thread. */
export interface ComparedJob extends Cost {
  /** Steps of work for each number. */
  steps: number
  /** From the start of the ranks until all have the sum. */
  ms: number
}

/** Compares the ranks with one thread, at each amount of work; the medians of the rounds. */
export function compareJobs({ ours = [] }: ByWay<Outcome[]>, ranks: number): { startMs: number; jobs: ComparedJob[] } {
  const rounds = ours as OurOutcome[]
  const jobs = (rounds[0]?.jobs ?? []).map(({ steps }, at) => {
    const medianOf = (what: 'ms' | 'aloneMs') => median(rounds.map(({ jobs }) => jobs[at]?.[what] ?? Number.NaN))
    const ms = medianOf('ms')
    return { steps, ms, ...costOf(medianOf('aloneMs'), [{ workers: ranks, ms }]) }
  })
  return { startMs: median(rounds.map(({ startMs }) => startMs)), jobs }
}
