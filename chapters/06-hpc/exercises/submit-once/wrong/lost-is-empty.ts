// The checker says: The job is submitted twice: a lost answer was taken for an empty list.
/** Takes a lost answer of squeue for a list without the job. */
import type { Clock, Cluster } from '../check.ts'

interface Options {
  clock: Clock
  appearsWithinMs: number
}

export async function submitOnce(cluster: Cluster, name: string, options: Options): Promise<string> {
  for (;;) {
    const id = await find(cluster, name, options)
    if (id !== undefined) return id
    const answer = await cluster.sbatch(name)
    if ('result' in answer) return answer.result
  }
}

async function find(cluster: Cluster, name: string, { clock, appearsWithinMs }: Options): Promise<string | undefined> {
  const deadline = clock.now() + appearsWithinMs
  for (;;) {
    const askedMs = clock.now()
    const answer = await cluster.squeue(name)
    if ('result' in answer && answer.result !== undefined) return answer.result
    if (askedMs >= deadline) return undefined
    await clock.sleep(appearsWithinMs / 4)
  }
}
