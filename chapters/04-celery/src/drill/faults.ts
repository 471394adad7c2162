/** The schedule of a drill's faults: all of it follows from one seed. */
import { faultsFrom } from '@repo/common/servers/faults'

export interface Fault {
  /** It strikes when this many jobs are done: no two runs take the same time, but counts are the same. */
  atDone: number
  /** SIGKILL of a worker, SIGKILL and restart of a server, or a worker's host cut off. */
  kind: 'kill' | 'restart' | 'partition'
  /** `worker 1` and so on, `queue` or `ledger`. */
  target: string
  /** For a partition: whether packets vanish; otherwise connections are reset and new ones refused. */
  silent?: boolean
}

export interface FaultSettings {
  seed: number
  jobs: number
  kills: number
  restarts: number
  partitions: number
  workers: number
  /** Where the effects are written: the queue's own Redis, or a second one, which may be restarted too. */
  ledger: 'queue' | 'own'
}

/** Returns the faults in order, the same for the same settings. The host that is cut off is always worker 1's. */
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
