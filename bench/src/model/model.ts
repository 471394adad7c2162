/**
 * A discrete-event model of the task queue: clients send tasks, a broker hands each to a worker, the worker works for
 * a while and asks for the next one. Places where something takes its turn are servers with a queue before them: the
 * cores of a machine, and the broker, which does one thing at a time.
 *
 * What is not in it: losses, retries, memory, a network that is full, and workers of different speeds.
 */
import { randomFrom } from '@repo/common/async/random'
import { quantile } from '@repo/common/measure'
import TinyQueue from 'tinyqueue'

/** What one task costs, in ms. All but the nap and the way are drawn from an exponential distribution. */
export interface Costs {
  /** The task itself: it waits, and needs no core. */
  napMs: number
  /** The worker's CPU. */
  workerMs: number
  /** The client's CPU, to send the task. */
  clientMs: number
  /** The broker's CPU to take in the task. */
  sendMs: number
  /** The broker's CPU to end a task and hand out the next one. */
  nextMs: number
  /** Waking up and the way to the broker and back, where nothing is busy. */
  wayMs: number
}

export interface Place {
  /** The cores that workers, clients and brokers share. Undefined: each has a core of its own. */
  cores?: number
  /** Brokers; each task and each worker belongs to one. */
  brokers?: number
}

export interface Load {
  workers: number
  /** How many tasks are done. */
  tasks: number
  /**
   * Tasks that clients send in each second, at random moments. Without it there is always a task that waits, and
   * `isSending` says whether one is sent for each that is done.
   */
  perSecond?: number
  isSending?: boolean
  seed?: number
}

export interface Outcome {
  /** Tasks done in each second, in the steady state. */
  perSecond: number
  /** From sending a task to the end of its work; NaN if there is always a task that waits. */
  p50Ms: number
  p95Ms: number
  /** The share of its time that the busiest broker works. */
  brokerLoad: number
}

interface Event {
  atMs: number
  happens: () => void
}

/** What serves as many at once as are free. Who comes first is served first. */
interface Servers {
  free: number
  queue: (() => void)[]
}
const newServers = (free: number): Servers => ({ free, queue: [] })

/** Calls `begin` when one of the servers is free; at once if there are enough for everybody. */
function acquire(servers: Servers | undefined, begin: () => void) {
  if (!servers) return begin()
  if (servers.free === 0) return void servers.queue.push(begin)
  servers.free--
  begin()
}

function release(servers: Servers | undefined) {
  if (!servers) return
  const next = servers.queue.shift()
  if (next) next()
  else servers.free++
}

/** The share of the tasks that are done before anything is counted. */
const warmUp = 0.2

/** Runs the model. The same seed gives the same outcome. */
export function simulate(costs: Costs, { cores, brokers = 1 }: Place, load: Load): Outcome {
  const { workers, tasks, perSecond, isSending = perSecond !== undefined, seed = 1 } = load
  const random = randomFrom(seed)
  const exponential = (meanMs: number) => -meanMs * Math.log(1 - random())
  const events = new TinyQueue<Event>([], (a, b) => a.atMs - b.atMs)
  let nowMs = 0
  const after = (ms: number, happens: () => void) => events.push({ atMs: nowMs + ms, happens })

  const cpu = cores === undefined ? undefined : newServers(cores)
  const broker = Array.from({ length: brokers }, () => newServers(1))
  const brokerMs = new Array<number>(brokers).fill(0)
  function compute(ms: number, then: () => void) {
    acquire(cpu, () =>
      after(ms, () => {
        release(cpu)
        then()
      }),
    )
  }
  /** A broker does one thing at a time. */
  function serve(at: number, meanMs: number, then: () => void) {
    const ms = exponential(meanMs)
    acquire(broker[at], () => {
      brokerMs[at] = (brokerMs[at] ?? 0) + ms
      // A system's scheduler lets something so short begin at once; what computes for longer waits for the core instead.
      if (cpu) compute(ms, () => {})
      after(ms, () => {
        release(broker[at])
        then()
      })
    })
  }

  const waiting = Array.from({ length: brokers }, (): number[] => [])
  const idle = Array.from({ length: brokers }, (): number[] => [])
  const doneMs: number[] = []
  const latencies: number[] = []
  const isBacklog = perSecond === undefined

  // #region broker
  /** A worker has a task that was sent at `sentMs`: works, and asks for the next one. */
  function work(worker: number, sentMs: number) {
    after(costs.wayMs + costs.napMs, () => {
      doneMs.push(nowMs)
      latencies.push(nowMs - sentMs)
      compute(exponential(costs.workerMs), () => ask(worker))
    })
  }
  function ask(worker: number) {
    const at = worker % brokers
    serve(at, costs.nextMs, () => {
      const sentMs = isBacklog ? nowMs : waiting[at]?.shift()
      if (sentMs === undefined) idle[at]?.push(worker)
      else work(worker, sentMs)
      // In the steady state as many tasks come as go.
      if (isBacklog && isSending) serve(at, costs.sendMs, () => {})
    })
  }
  function send() {
    const [sentMs, at] = [nowMs, Math.floor(random() * brokers)]
    compute(exponential(costs.clientMs), () =>
      serve(at, costs.sendMs, () => {
        waiting[at]?.push(sentMs)
        // An idle worker wakes up and asks. One that has just ended a task may come first, and it has asked in vain.
        const worker = idle[at]?.pop()
        if (worker !== undefined) ask(worker)
      }),
    )
    after(exponential(1_000 / (perSecond ?? 1)), send)
  }
  // #endregion broker

  if (isBacklog) for (let worker = 0; worker < workers; worker++) after(random() * costs.napMs, () => ask(worker))
  else {
    for (let worker = 0; worker < workers; worker++) idle[worker % brokers]?.push(worker)
    send()
  }
  while (doneMs.length < tasks) {
    const event = events.pop()
    if (!event) throw new Error('nothing happens any more')
    nowMs = event.atMs
    event.happens()
  }
  const from = Math.floor(warmUp * doneMs.length)
  const counted = latencies.slice(from)
  return {
    perSecond: rateOf(doneMs),
    p50Ms: isBacklog ? Number.NaN : quantile(counted, 0.5),
    p95Ms: isBacklog ? Number.NaN : quantile(counted, 0.95),
    brokerLoad: Math.max(...brokerMs) / nowMs,
  }
}

/**
 * Returns the tasks done in each second between the first fifth of them and the last tenth: before, not all workers are
 * at it, and afterwards not all are any more.
 *
 * @param doneMs in the order of time
 */
export function rateOf(doneMs: readonly number[]): number {
  const [from, to] = [Math.floor(warmUp * doneMs.length), Math.ceil(0.9 * doneMs.length) - 1]
  return (1_000 * (to - from)) / ((doneMs[to] ?? Number.NaN) - (doneMs[from] ?? Number.NaN))
}
