/** Which faults a drill has, and when: all from one seed. */
import { faultsFrom } from '@repo/common/servers/faults'

/** Something that happens when so many jobs are done: no clock is the same twice, but counts are. */
export interface Fault {
  atDone: number
  /** SIGKILL of a worker, SIGKILL and restart of a server, a worker's host cut off. */
  kind: 'kill' | 'restart' | 'partition'
  /** `worker 1` and so on, `queue` or `ledger`. */
  target: string
  /** Of a partition: whether packets vanish; else connections are reset, and new ones refused. */
  silent?: boolean
}

export interface FaultSettings {
  seed: number
  jobs: number
  kills: number
  restarts: number
  partitions: number
  workers: number
  /** Whether the effects are written into the queue's own Redis, or into a second one, which may be restarted too. */
  ledger: 'queue' | 'own'
}

/** The faults in their order; the same for the same settings. A host that is cut off is always that of worker 1. */
export function faultsOf({ seed, jobs, kills, restarts, partitions, workers, ledger }: FaultSettings): Fault[] {
  const servers = ledger === 'own' ? ['queue', 'ledger'] : ['queue']
  const repeat = (times: number, make: () => Fault) => Array.from({ length: times }, make)
  return faultsFrom<Fault>(
    seed,
    ({ share, whole, oneOf }) => {
      // Not before all workers have jobs, and not when the last jobs are under way.
      const atDone = () => Math.floor(jobs * (0.02 + 0.9 * share()))
      return [
        ...repeat(kills, () => ({ atDone: atDone(), kind: 'kill', target: `worker ${whole(1, workers)}` })),
        ...repeat(restarts, () => ({ atDone: atDone(), kind: 'restart', target: oneOf(servers) })),
        ...repeat(partitions, () => ({
          atDone: atDone(),
          kind: 'partition',
          target: 'worker 1',
          silent: oneOf([false, true]),
        })),
      ]
    },
    ({ atDone }) => atDone,
  )
}
