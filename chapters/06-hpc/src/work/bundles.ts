/** The programs of this folder that run on a cluster's nodes, each bundled into one file. */
import { bundleProgram } from '@repo/common/process/bundle'

/** The oldest Node on which they run, because clusters lag behind. Without Node on a node, its job ends with 127. */
const oldestNode = 'node18'

export type NodeProgram = 'study' | 'faulty' | 'collatz' | 'ranks'

/** Bundles a program. Returns it by its name in the job's folder: `{ 'study.mjs': … }`. */
export async function bundleFor(program: NodeProgram): Promise<Record<string, Uint8Array>> {
  const file = new URL(`./${program}.program.ts`, import.meta.url)
  return { [`${program}.mjs`]: await bundleProgram(file, { target: oldestNode }) }
}
