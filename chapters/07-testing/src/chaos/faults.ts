/** Which faults strike whom, and when: all from one seed. */
import type { Draw } from '@repo/common/async/random'
import { faultsFrom } from '@repo/common/servers/faults'
import type { Stage } from '../pipeline/orders.ts'
import { workerNames } from '../pipeline/settings.ts'

export const faultKinds = {
  kill: 'SIGKILL of a worker in the middle of an order; it is started again',
  restart: 'SIGKILL of Redis; it is started again, with all that it had answered',
  cut: 'all connections of a process to Redis are reset',
  delay: "a process's line to Redis is slow for a while",
  'half-open': "a process's line to Redis is silent for a while, and nobody is told",
  clock: "a process's wall clock jumps; the offset is injected, the machine's clock is left alone",
} as const
export type FaultKind = keyof typeof faultKinds
export const kindNames = Object.keys(faultKinds) as FaultKind[]

/** Something that happens when so many orders have been sent: no moment is the same twice, but counts are. */
export interface Fault {
  atOrder: number
  kind: FaultKind
  /** `front`, `payment 1`, `shipping 2`, `redis`. */
  target: string
  /** Of `delay` and `half-open`: for how long. Of `clock`: by how much it is wrong from now on. Else 0. */
  ms: number
  /** Of `delay`: what it adds to a round trip. */
  addedMs?: number
}

export interface FaultSettings {
  seed: number
  orders: number
  kinds: readonly FaultKind[]
  workers: Record<Stage, number>
  lockMs: number
}

/** Beyond the fewest of each kind there is one more for so many orders. */
const ordersPerFault = 500

/** The faults in their order; the same for the same settings. */
export function faultsOf(settings: FaultSettings): Fault[] {
  return faultsFrom(
    settings.seed,
    (draw) => drawFaults(settings, draw),
    ({ atOrder }) => atOrder,
  )
}

function drawFaults({ orders, kinds, workers, lockMs }: FaultSettings, { share, whole, oneOf }: Draw): Fault[] {
  const all = workerNames(workers)
  const everybody = ['front', ...all]
  const lastInLine = 'shipping 1'
  const others = everybody.filter((name) => name !== lastInLine)
  const more = Math.floor(orders / ordersPerFault)
  const times = (count: number, make: () => Fault) => Array.from({ length: count }, make)

  const make: Record<FaultKind, () => Fault[]> = {
    // In the first half: each waits for its worker to have work, and the orders must not run out meanwhile.
    kill: () => {
      const kill = (name: string) => fault('kill', name, { to: 0.5 })
      return [...all.map(kill), ...times(more, () => kill(oneOf(all)))]
    },
    restart: () => times(1 + Math.floor(more / 2), () => fault('restart', 'redis')),
    cut: () => times(2 + more, () => fault('cut', oneOf(everybody))),
    delay: () =>
      times(2 + more, () => ({
        ...fault('delay', oneOf(everybody), { ms: whole(300, 1_000) }),
        addedMs: whole(10, 80),
      })),
    // Longer than the lock: somebody else does the work meanwhile, and then both have done it.
    'half-open': () =>
      times(1 + more, () => fault('half-open', oneOf(all), { ms: Math.round(lockMs * (1.5 + share())) })),
    clock: () => [
      // Whoever comes last in an order's life is behind all others from now on, for certain: the others' jumps are smaller.
      fault('clock', lastInLine, { ms: -whole(90_000, 120_000), to: 0.3 }),
      ...times(2 + more, () => fault('clock', oneOf(others), { ms: whole(-60_000, 60_000) })),
    ],
  }
  function fault(kind: FaultKind, target: string, { ms = 0, to = 0.75 } = {}): Fault {
    // Not before work is under way, and not when the last orders are.
    return { atOrder: whole(Math.floor(0.1 * orders), Math.floor(to * orders)), kind, target, ms }
  }
  // In one order of the kinds, whatever order they were asked for in.
  const wanted = kindNames.filter((kind) => kinds.includes(kind))
  return wanted.flatMap((kind) => make[kind]())
}
