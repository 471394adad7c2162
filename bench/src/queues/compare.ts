/** Measures contenders in turn on the same work. */
import { interleave, quantile } from '@repo/common/measure'
import type { Contender, ContenderName, Survival } from './contenders.ts'

export interface Work {
  /** Small tasks for each contender, in all rounds together. */
  tasks: number
  /** Waiting tasks, and how long each waits. */
  naps: number
  napMs: number
  /** How long to wait for the task of a killed worker; 0 kills none. */
  limitMs: number
  rounds: number
  /** How long one task after the other is sent in each round. */
  oneMs: number
  signal: AbortSignal
  /** Called with what is going on and how much of it is done, from 0 to 1. */
  onProgress: (what: string, share: number) => void
}

export interface Row {
  name: ContenderName
  label: string
  workers: number
  /** Small tasks, handed in at once, until all results are here. */
  perSecond: number
  /** Latencies of one task after the other, from the call to the result. */
  p50Ms: number
  p99Ms: number
  sequentialPerSecond: number
  /** The waiting tasks, handed in at once, until all results are here. */
  napsMs: number
  killed?: Survival | undefined
}

/** Rates are medians of the rounds; latencies are taken from all rounds. */
export async function compareAll(contenders: Contender[], work: Work): Promise<Row[]> {
  const { tasks, naps, napMs, limitMs, rounds, oneMs, signal, onProgress } = work
  const latencies = new Map<ContenderName, number[]>(contenders.map(({ name }) => [name, []]))
  const share = Math.ceil(tasks / rounds)
  const round = ({ name, many, one }: Contender) => {
    let warm = false
    return async () => {
      // The warm-up has fewer tasks at once, because some contenders are slow, but more of them one after the other: V8
      // needs some ten thousand calls before it has compiled all of a client and its server.
      const took = await many(warm ? share : Math.ceil(share / 10))
      const samples = await one(warm ? oneMs : 6 * oneMs)
      if (warm) latencies.get(name)?.push(...samples)
      warm = true
      return took
    }
  }
  const timings = await interleave(Object.fromEntries(contenders.map((each) => [each.name, round(each)])), {
    rounds,
    signal,
    onProgress: (done, total) => onProgress('small tasks', done / total),
  })
  const napsMs: number[] = []
  for (const contender of contenders) {
    signal.throwIfAborted()
    onProgress('waiting tasks', napsMs.length / contenders.length)
    napsMs.push(await contender.naps(naps, napMs))
  }
  onProgress('killing workers', 0)
  // All at the same time, because nobody measures speed here.
  const survivals = limitMs === 0 ? [] : await Promise.all(contenders.map(({ kill }) => kill(limitMs)))
  return contenders.map(({ name, label, workers }, at) => {
    const samples = latencies.get(name) ?? []
    return {
      name,
      label,
      workers,
      perSecond: (1_000 * share) / (timings[name]?.ms ?? Number.NaN),
      p50Ms: quantile(samples, 0.5),
      p99Ms: quantile(samples, 0.99),
      sequentialPerSecond: (1_000 * samples.length) / samples.reduce((sum, ms) => sum + ms, 0),
      napsMs: napsMs[at] ?? Number.NaN,
      killed: survivals[at],
    }
  })
}

/** How many times faster one contender is than another; undefined if one of them did not take part. */
export function ratiosOf(rows: Row[]) {
  const of = (name: ContenderName) => rows.find((row) => row.name === name)
  const ratio = (a?: number, b?: number) => (a === undefined || b === undefined ? undefined : a / b)
  return {
    rqToRq: ratio(of('rq')?.perSecond, of('rq-python')?.perSecond),
    rqToSimpleWorker: ratio(of('rq')?.perSecond, of('rq-simple')?.perSecond),
    remoteToPyro: ratio(of('remote')?.sequentialPerSecond, of('pyro')?.sequentialPerSecond),
    remoteAtOnceToPyro: ratio(of('remote')?.perSecond, of('pyro')?.sequentialPerSecond),
  }
}
