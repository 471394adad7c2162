import { findLeak } from '../../src/inspect/heap.ts'
import { inspect } from '../../src/inspect/inspector.ts'
import { startTarget } from './target.ts'

/** Finds the leak of a program, if it has one. */
export async function leakOf(source: string, { mustFind = true } = {}) {
  await using target = await startTarget({ 'target.mjs': source })
  await using inspector = await inspect(target.program, target.lines)
  return await findLeak(inspector, { ms: 900, mustFind })
}
