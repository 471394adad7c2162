/** Which faults strike which process, and when: everything follows from one seed. */
import type { Draw } from '@repo/common/async/random'
import { faultsFrom } from '@repo/common/servers/faults'
import type { Stage } from '../pipeline/orders.ts'
import { workerNames } from '../pipeline/settings.ts'

export const kindNames = [
  /** SIGKILL of a worker while it works on orders; it is started again. */
  'kill',
  /** SIGKILL of Redis; it is started again, with everything that it had acknowledged. */
  'restart',
  /** All connections of a process to Redis are reset. */
  'cut',
  /** The line of a process to Redis is slow for a while. */
  'delay',
  /** The line of a process to Redis is silent for a while, and no error reports it. */
  'half-open',
  /** The wall clock of a process jumps: an offset is injected, and the machine's clock is left alone. */
  'clock',
] as const
export type FaultKind = (typeof kindNames)[number]

export interface Fault {
  /** It strikes when this many orders have been sent: no two runs are equally fast, but counts repeat. */
  atOrder: number
  kind: FaultKind
  /** `front`, `payment 1`, `shipping 2`, `redis`. */
  target: string
  /** For `delay` and `half-open`: how long it lasts. For `clock`: the offset from now on. Otherwise 0. */
  ms: number
  /** For `delay`: what it adds to a round trip. */
  addedMs?: number
}

export interface FaultSettings {
  seed: number
  orders: number
  kinds: readonly FaultKind[]
  workers: Record<Stage, number>
  lockMs: number
}

/** For every so many orders there is one more fault of most kinds. */
const ordersPerFault = 500

/** Returns the faults in the order in which they strike. The same settings give the same faults. */
export function faultsOf(settings: FaultSettings): Fault[] {
  return faultsFrom(
    settings.seed,
    (draw) => drawFaults(settings, draw),
    ({ atOrder }) => atOrder,
  )
}

function drawFaults({ orders, kinds, workers, lockMs }: FaultSettings, { share, whole, oneOf }: Draw): Fault[] {
  const all = workerNames(workers)
  const processes = ['front', ...all]
  const lastInLine = 'shipping 1'
  const others = processes.filter((name) => name !== lastInLine)
  const more = Math.floor(orders / ordersPerFault)
  const times = (count: number, make: () => Fault) => Array.from({ length: count }, make)

  const make: Record<FaultKind, () => Fault[]> = {
    // In the first half: each kill waits until its worker has work, and the orders must not run out meanwhile.
    kill: () => {
      const kill = (name: string) => fault('kill', name, { to: 0.5 })
      return [...all.map(kill), ...times(more, () => kill(oneOf(all)))]
    },
    restart: () => times(1 + Math.floor(more / 2), () => fault('restart', 'redis')),
    cut: () => times(2 + more, () => fault('cut', oneOf(processes))),
    delay: () =>
      times(2 + more, () => ({
        ...fault('delay', oneOf(processes), { ms: whole(300, 1_000) }),
        addedMs: whole(10, 80),
      })),
    // Longer than the lock lasts: another worker does the work meanwhile, and then both have done it.
    'half-open': () =>
      times(1 + more, () => fault('half-open', oneOf(all), { ms: Math.round(lockMs * (1.5 + share())) })),
    clock: () => [
      // From here on the last process in an order's life is certainly behind all others, whose jumps are smaller.
      fault('clock', lastInLine, { ms: -whole(90_000, 120_000), to: 0.3 }),
      ...times(2 + more, () => fault('clock', oneOf(others), { ms: whole(-60_000, 60_000) })),
    ],
  }
  function fault(kind: FaultKind, target: string, { ms = 0, to = 0.75 } = {}): Fault {
    // When work is under way, and before the last orders are.
    return { atOrder: whole(Math.floor(0.1 * orders), Math.floor(to * orders)), kind, target, ms }
  }
  // Always in the same order, so that the order in which the user names them does not matter.
  const wanted = kindNames.filter((kind) => kinds.includes(kind))
  return wanted.flatMap((kind) => make[kind]())
}
