/** Runs on the law, runs with noise, and runs that leave the answer open. */
import { counterexample } from '@repo/exercises/counterexample'
import { exercise, type Fault, type Step } from '@repo/exercises/exercise'
import { lastReading } from '@repo/exercises/line'
import fc from 'fast-check'

/** A measured run. */
export interface Run {
  /** A whole number, 1 or more. */
  workers: number
  /** The time of the whole run, above 0. */
  ms: number
}

type Solution = typeof import('./exercise.ts')

const tolerance = 0.0005

const onTheLaw = (fraction: number) =>
  [1, 2, 4, 8].map((workers) => ({ workers, ms: 80 * fraction + (80 * (1 - fraction)) / workers }))

/** Runs on one number of workers; their mean share is not exactly a tenth, because of rounding. */
const onOneNumber = [70, 90, 80].map((ms) => ({ workers: 10, ms }))

const runs = fc.array(
  fc.record({
    workers: fc.integer({ min: 1, max: 16 }),
    ms: fc.integer({ min: 1, max: 20 }).map((tens) => 10 * tens),
  }),
  { maxLength: 8 },
)

/** The fraction with the least squares among those with no negative part; of two or more numbers of workers. */
function best(runs: readonly Run[]): number {
  const x = runs.map(({ workers }) => 1 / workers)
  const mean = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length
  const meanX = mean(x)
  const meanMs = mean(runs.map(({ ms }) => ms))
  const slope =
    mean(runs.map(({ ms }, at) => (x[at] - meanX) * (ms - meanMs))) / mean(x.map((each) => (each - meanX) ** 2))
  const serial = meanMs - slope * meanX
  if (serial <= 0) return 0
  return slope <= 0 ? 1 : serial / (serial + slope)
}

/** The times that a fraction predicts, with the time on one worker that fits best. */
function predicted(fraction: number, runs: readonly Run[]): number[] {
  const shares = runs.map(({ workers }) => fraction + (1 - fraction) / workers)
  const sum = (values: readonly number[]) => values.reduce((total, value) => total + value, 0)
  const alone = sum(runs.map(({ ms }, at) => ms * shares[at])) / sum(shares.map((share) => share ** 2))
  return shares.map((share) => alone * share)
}

const digits = (value: number | undefined) => (value === undefined ? 'undefined' : String(Number(value.toPrecision(4))))
const measured = (workers: number, ms: number) => `${workers} ${workers === 1 ? 'worker' : 'workers'}: ${digits(ms)} ms`

function inspect(answer: number | undefined, runs: readonly Run[]): Fault | undefined {
  if (new Set(runs.map(({ workers }) => workers)).size < 2) {
    if (answer === undefined) return undefined
    return {
      says: `The runs leave the fraction open, and it returns ${digits(answer)}.`,
      expected: 'undefined',
      received: `${digits(answer)} for ${runs.length === 0 ? 'no runs at all' : 'runs on one number of workers'}`,
      history: runs.map(({ workers, ms }) => ({ who: 'measured', what: measured(workers, ms) })),
      why: 'Two unknown times need runs on two different numbers of workers.',
    }
  }
  if (answer === undefined)
    return { says: 'It returns undefined, although the runs have an answer.', ...compare(answer, runs) }
  if (Number.isNaN(answer))
    return { says: 'It returns NaN, although the runs have an answer.', ...compare(answer, runs) }
  if (answer < 0 || answer > 1) {
    const why = 'A part of the time cannot be negative: the best that is allowed has it at 0.'
    return { says: `It returns a fraction ${answer < 0 ? 'below 0' : 'above 1'}.`, ...compare(answer, runs), why }
  }
  if (Math.abs(answer - best(runs)) <= tolerance) return undefined
  return { says: 'Another serial fraction is closer to the runs.', ...compare(answer, runs) }
}

function compare(answer: number | undefined, runs: readonly Run[]): Omit<Fault, 'says'> {
  const fraction = best(runs)
  const right = predicted(fraction, runs)
  const theirs = answer === undefined || Number.isNaN(answer) ? [] : predicted(answer, runs)
  const history: Step[] = runs.map(({ workers, ms }, at) => {
    const both = [
      ...(theirs.length > 0 ? [`yours says ${digits(theirs[at])}`] : []),
      `the best says ${digits(right[at])}`,
    ]
    return { who: 'measured', what: `${measured(workers, ms)}; ${both.join(', ')}` }
  })
  const sum = (values: readonly number[]) =>
    digits(values.reduce((sum, value, at) => sum + (value - runs[at].ms) ** 2, 0))
  return {
    expected: `${digits(fraction)}: the squares add up to ${sum(right)}`,
    received: `${digits(answer)}${theirs.length > 0 ? `: the squares add up to ${sum(theirs)}` : ''}`,
    history,
  }
}

export default exercise<Solution>({
  check: async ({ serialFraction }) =>
    await counterexample(
      runs,
      (input) => {
        const fault = inspect(serialFraction(structuredClone(input)), input)
        return fault && { ...fault, line: lastReading(input, serialFraction) }
      },
      { examples: [onTheLaw(0.1), onTheLaw(0.5), onTheLaw(0), onTheLaw(1), [{ workers: 2, ms: 40 }], [], onOneNumber] },
    ),
})
