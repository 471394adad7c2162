/** Measures contenders in turn on the same work. */
import { interleave, quantile } from '@repo/common/measure'
import { barPlot, palette } from '@repo/common/output/plots'
import { count } from '@repo/common/output/terminal'
import { reasonOf } from '../harness/turns.ts'
import { type Contender, type ContenderName, type FailedContender, isTypeScript, type Survival } from './contenders.ts'

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

/** What was measured of a contender. If it failed, only what had been measured before. */
export interface Row {
  name: ContenderName
  label: string
  workers: number
  /** Why it failed, in one line. */
  failed?: string | undefined
  /** Small tasks, handed in at once, until all results are here. */
  perSecond?: number | undefined
  /** Latencies of one task after the other, from the call to the result. */
  p50Ms?: number | undefined
  p99Ms?: number | undefined
  sequentialPerSecond?: number | undefined
  /** The waiting tasks, handed in at once, until all results are here. */
  napsMs?: number | undefined
  killed?: Survival | undefined
}

/**
 * Rates are medians of the rounds; latencies are taken from all rounds. A contender that fails is not asked for more;
 * the others go on.
 */
export async function compareAll(contenders: (Contender | FailedContender)[], work: Work): Promise<Row[]> {
  const { tasks, naps, napMs, limitMs, rounds, oneMs, signal, onProgress } = work
  const failures = new Map<ContenderName, string>()
  for (const each of contenders) if ('failed' in each) failures.set(each.name, each.failed)
  const running = contenders.flatMap((each) => ('failed' in each ? [] : each))
  /** Returns undefined for a contender that fails in it, or has failed before. */
  async function attempt<T>({ name }: Contender, measure: () => Promise<T>): Promise<T | undefined> {
    if (failures.has(name)) return undefined
    try {
      return await measure()
    } catch (error) {
      signal.throwIfAborted()
      failures.set(name, reasonOf(error))
      return undefined
    }
  }
  const latencies = new Map<ContenderName, number[]>(contenders.map(({ name }) => [name, []]))
  const share = Math.ceil(tasks / rounds)
  const round = (contender: Contender) => {
    const { name, many, one } = contender
    let warm = false
    const measure = async () => {
      // The warm-up has fewer tasks at once, because some contenders are slow, but more of them one after the other: V8
      // needs some ten thousand calls before it has compiled all of a client and its server.
      const took = await many(warm ? share : Math.ceil(share / 10))
      const samples = await one(warm ? oneMs : 6 * oneMs)
      if (warm) latencies.get(name)?.push(...samples)
      warm = true
      return took
    }
    return async () => (await attempt(contender, measure)) ?? Number.NaN
  }
  const timings = await interleave(Object.fromEntries(running.map((each) => [each.name, round(each)])), {
    rounds,
    signal,
    onProgress: (done, total) => onProgress('small tasks', done / total),
  })
  const napsMs = new Map<ContenderName, number | undefined>()
  for (const contender of running) {
    signal.throwIfAborted()
    onProgress('waiting tasks', napsMs.size / running.length)
    napsMs.set(contender.name, await attempt(contender, () => contender.naps(naps, napMs)))
  }
  onProgress('killing workers', 0)
  // All at the same time, because nobody measures speed here.
  const killing = limitMs === 0 ? [] : running
  const survivals = new Map(
    await Promise.all(killing.map(async (each) => [each.name, await attempt(each, () => each.kill(limitMs))] as const)),
  )
  return contenders.map(({ name, label, workers }) => {
    const samples = latencies.get(name) ?? []
    const ms = timings[name]?.ms
    return {
      name,
      label,
      workers,
      failed: failures.get(name),
      perSecond: ms === undefined || Number.isNaN(ms) ? undefined : (1_000 * share) / ms,
      ...(samples.length > 0 && {
        p50Ms: quantile(samples, 0.5),
        p99Ms: quantile(samples, 0.99),
        sequentialPerSecond: (1_000 * samples.length) / samples.reduce((sum, ms) => sum + ms, 0),
      }),
      napsMs: napsMs.get(name),
      killed: survivals.get(name),
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

/** Draws their small tasks per second, as an SVG. */
export function drawRates(rows: Row[]): string {
  return barPlot({
    title: 'Small tasks per second',
    subtitle: 'handed in at once, all results fetched; two worker processes, for objects one',
    x: { label: 'tasks per second' },
    bars: rows.map(({ name, label, perSecond }) => ({
      name: label,
      value: perSecond ?? 0,
      label: perSecond === undefined ? 'failed' : count(Math.round(perSecond)),
      color: isTypeScript(name) ? palette[0] : palette[1],
    })),
  })
}
