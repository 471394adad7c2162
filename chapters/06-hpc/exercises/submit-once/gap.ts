// The checker says: submitOnce returns, and no job was submitted.
/** Submitting a job over a connection that breaks. */
import type { Clock, Cluster } from './check.ts'

/**
 * Submits a job with this name, unless the cluster has one already, and returns its id. In the end there is exactly one,
 * wherever the connection breaks, and even if this client is killed and another one calls this again.
 *
 * @param appearsWithinMs a job appears in the list up to this time after `sbatch`, or never
 */
export async function submitOnce(
  _cluster: Cluster,
  _name: string,
  _options: { clock: Clock; appearsWithinMs: number },
): Promise<string> {
  // Your code: when may you be sure that there is no such job?
  return ''
}
