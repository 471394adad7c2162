/** Contenders take turns, round by round. One that fails becomes a row that says why, and the others go on. */
import { aborted } from '@repo/common/async/abort'
import { after } from '@repo/common/async/timer'
import { within } from '@repo/common/async/until'
import { messageOf } from '@repo/common/output/errors'
import type { Row, Running, SuiteOptions } from './suite.ts'

/** Returns an error in one line, for a table: of a program's output, the last line that names an error, or else the last. */
export function reasonOf(error: unknown): string {
  const lines = messageOf(error).trim().split('\n')
  return (lines.findLast((line) => /^[\w.]*(Error|Exception)\b.*: /.test(line)) ?? lines.at(-1) ?? '').slice(0, 200)
}

/** How long an action may go on after its end was asked for. It may have servers to stop, which would disturb the next one. */
const cleanUpMs = 8_000

/**
 * Does something for a contender that has not failed before. Returns undefined if it has, or fails now, or takes longer
 * than `limitMs`; then its row says so. The signal that the action gets is aborted at its end.
 *
 * @throws the signal's reason, if it is aborted
 */
export async function attempt<T>(
  row: Row,
  { limitMs, signal }: { limitMs: number; signal: AbortSignal },
  action: (signal: AbortSignal) => Promise<T>,
): Promise<T | undefined> {
  signal.throwIfAborted()
  if (row.failed !== undefined) return undefined
  const late = new AbortController()
  const tooLong = `not done within ${limitMs / 1_000} s`
  using _timer = after(limitMs, () => late.abort(new Error(tooLong)))
  const stop = AbortSignal.any([signal, late.signal])
  const acting = action(stop)
  try {
    return await Promise.race([acting, aborted(stop)])
  } catch (error) {
    row.failed = signal.aborted ? 'interrupted' : late.signal.aborted ? tooLong : reasonOf(error)
    await within(cleanUpMs, () => acting.catch(() => {}))
    signal.throwIfAborted()
    return undefined
  } finally {
    late.abort()
  }
}

/**
 * Starts contenders one after the other. Returns those that are ready, which the stack then ends; the rows of the others say
 * why they are not.
 *
 * @throws the signal's reason, if it is aborted
 */
export async function startEach<Work>(
  rows: readonly Row[],
  options: {
    stack: { defer: (dispose: () => Promise<void>) => void }
    limitMs: number
    signal: AbortSignal
    onProgress: SuiteOptions['onProgress']
  },
  start: (row: Row) => Promise<Running<Work>>,
): Promise<Map<Row, Running<Work>>> {
  const started = new Map<Row, Running<Work>>()
  for (const [at, row] of rows.entries()) {
    options.onProgress(`starting ${row.label}`, at / rows.length)
    const running = await attempt(row, options, async () => {
      const running = await start(row)
      options.stack.defer(async () => await running[Symbol.asyncDispose]())
      return running
    })
    if (!running) continue
    started.set(row, running)
    row.version = running.version
  }
  return started
}

export interface Participant {
  row: Row
  /** Does the work of one round and returns a value above 0 for each metric. */
  round: (signal: AbortSignal) => Promise<Record<string, number>>
}

export interface Turns {
  metrics: readonly string[]
  /** Those that count, after a warm-up. */
  rounds: number
  /** No warm-up is needed. */
  isWarm?: boolean
  /** How long one round of one contender may take. */
  limitMs: number
  signal: AbortSignal
  /** Gets the share that is done. */
  onProgress?: (share: number) => void
}

/**
 * Measures in turn (A B A B …): each value stands beside that of the reference, the first participant, in the same round.
 * Adds to the rows what was measured.
 */
export async function takeTurns(participants: readonly Participant[], options: Turns): Promise<void> {
  const { metrics, rounds, isWarm = false, onProgress } = options
  const all = rounds + (isWarm ? 0 : 1)
  for (let round = 0; round < all; round++) {
    let reference: Record<string, number> | undefined
    for (const [at, { row, round: measure }] of participants.entries()) {
      const values = await attempt(row, options, async (stop) => checked(await measure(stop), metrics))
      if (at === 0) reference = values
      onProgress?.((round * participants.length + at + 1) / (all * participants.length))
      if (values === undefined || (round === 0 && !isWarm)) continue
      for (const metric of metrics) {
        row.samples[metric] = [...(row.samples[metric] ?? []), values[metric] ?? Number.NaN]
        if (reference) row.beside[metric] = [...(row.beside[metric] ?? []), reference[metric] ?? Number.NaN]
      }
    }
  }
}

function checked(values: Record<string, number>, metrics: readonly string[]) {
  for (const metric of metrics) {
    const value: unknown = values[metric]
    if (typeof value === 'number' && value > 0 && value < Infinity) continue
    throw new Error(`${metric}: received ${JSON.stringify(value)}; accepts a number above 0`)
  }
  return values
}

/** Returns each value of a metric divided by that of the reference in the same round. */
export function ratiosOf({ samples, beside }: Row, metric: string): number[] {
  const others = beside[metric] ?? []
  const own = samples[metric] ?? []
  // Without a reference in some rounds, nobody knows which belong together.
  return own.length === others.length ? own.map((value, at) => value / (others[at] ?? Number.NaN)) : []
}

/** Returns the milliseconds that some work takes. */
export async function timed(work: () => unknown): Promise<number> {
  const begin = performance.now()
  await work()
  return performance.now() - begin
}
