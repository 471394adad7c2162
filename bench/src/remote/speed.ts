/** Calls per second over loopback: of remote objects and, where it is installed, of Pyro 4 with the same object. */
import { interleave, median } from '@repo/common/measure'
import { count, times } from '@repo/common/output/terminal'
import type { Exchange } from '04-celery/remote/exchange'
import { connect } from '04-celery/remote/remote'
import { type PyroMeasurement, startPyro } from './pyro.ts'

export interface CallsPerSecond {
  /** One client that waits for each call. */
  sequential: number
  /** The same client with a thousand calls under way. */
  concurrent: number
  /** Undefined where no Python has Pyro 4. `batch` is a thousand calls in one message. */
  pyro: { version: string; sequential: number; batch: number } | undefined
}

export interface CountOptions {
  secret: string
  /** Calls in each round and way, in thousands made at once. */
  calls: number
  rounds: number
  signal?: AbortSignal
  /** Called with the number of measurements done and in all. */
  onProgress?: (done: number, total: number) => void
}

const atOnce = 1_000

/** Asks an `Exchange` for the same rate again and again, in turn with Pyro; each figure is the median of the rounds. */
export async function countCalls(
  address: string,
  { secret, calls, rounds, signal, onProgress }: CountOptions,
): Promise<CallsPerSecond> {
  const pair = { from: 'usd', to: 'eur' }
  using connection = await connect<Exchange>(address, { secret, signal })
  const exchange = connection.remote
  await using pyro = await startPyro(signal)
  const measured: PyroMeasurement[] = []
  const timings = await interleave(
    {
      async sequential() {
        for (let call = 0; call < calls; call++) await exchange.rate(pair)
      },
      async concurrent() {
        for (let call = 0; call < calls; call += atOnce) {
          await Promise.all(Array.from({ length: atOnce }, () => exchange.rate(pair)))
        }
      },
      async pyro() {
        if (pyro) measured.push(await pyro.measure(calls))
      },
    },
    { rounds, ...(signal && { signal }), ...(onProgress && { onProgress }) },
  )
  // The first round is a warm-up.
  const counted = measured.slice(1)
  return {
    sequential: (1000 * calls) / timings.sequential.ms,
    concurrent: (1000 * Math.ceil(calls / atOnce) * atOnce) / timings.concurrent.ms,
    pyro: pyro && {
      version: pyro.version,
      sequential: median(counted.map(({ sequentialPerSecond }) => sequentialPerSecond)),
      batch: median(counted.map(({ batchPerSecond }) => batchPerSecond)),
    },
  }
}

/** The rows of a table: who calls, how often per second, and that against Pyro's calls one after the other. */
export function speedRows({ sequential, concurrent, pyro }: CallsPerSecond): string[][] {
  const row = (who: string, rate: number) => [
    who,
    count(Math.round(rate)),
    pyro ? times(rate / pyro.sequential) : 'not installed',
  ]
  return [
    row('one after the other', sequential),
    row('1,000 at once', concurrent),
    ...(pyro
      ? [
          row(`Pyro ${pyro.version}, one after the other`, pyro.sequential),
          row(`Pyro ${pyro.version}, 1,000 in a batch`, pyro.batch),
        ]
      : []),
  ]
}
