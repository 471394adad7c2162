/** Submitting a job over a connection that breaks. */
import type { Clock, Cluster } from './check.ts'

interface Options {
  clock: Clock
  appearsWithinMs: number
}

/**
 * Submits a job with this name, unless the cluster has one already, and returns its id. In the end there is exactly one,
 * wherever the connection breaks, and even if this client is killed and another one calls this again.
 *
 * @param appearsWithinMs a job appears in the list up to this time after `sbatch`, or never
 */
export async function submitOnce(cluster: Cluster, name: string, options: Options): Promise<string> {
  for (;;) {
    // Also before the first time: a client that was killed may have submitted it just now.
    const id = await find(cluster, name, options)
    if (id !== undefined) return id
    const answer = await cluster.sbatch(name)
    if ('result' in answer) return answer.result
  }
}

/** Returns the id of a job once it is listed; undefined if it was not for so long that it never will be. */
async function find(cluster: Cluster, name: string, { clock, appearsWithinMs }: Options): Promise<string | undefined> {
  const deadline = clock.now() + appearsWithinMs
  for (;;) {
    const askedMs = clock.now()
    const answer = await cluster.squeue(name)
    // A lost answer says nothing, and is asked for again.
    if ('result' in answer) {
      if (answer.result !== undefined) return answer.result
      if (askedMs >= deadline) return undefined
    }
    await clock.sleep(appearsWithinMs / 4)
  }
}
