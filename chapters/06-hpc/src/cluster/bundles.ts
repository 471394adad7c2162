/** The programs that run on a cluster's nodes, each as one file. */
import { bundleProgram } from '@repo/common/process/bundle'

/**
 * The oldest Node that they run on. Clusters lag behind, and what is on the nodes is not ours to choose; where there is
 * none, the job ends with 127 and its error output says so.
 */
const oldestNode = 'node18'

export type NodeProgram = 'study' | 'faulty' | 'collatz' | 'ranks'

/** A program as the job's folder needs it: `{ 'study.mjs': … }`. */
export async function bundleFor(program: NodeProgram): Promise<Record<string, Uint8Array>> {
  const file = new URL(`../work/${program}.program.ts`, import.meta.url)
  return { [`${program}.mjs`]: await bundleProgram(file, { target: oldestNode }) }
}
