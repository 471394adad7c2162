/** The same pipeline four ways: read files, find a pattern in their lines, count. */
import { inBytes } from './bytes.ts'
import type { Count, Search } from './pattern.ts'
import { pullGenerators } from './pull.ts'
import { pushCoroutines } from './push.ts'
import { nodeStreams } from './streams.ts'

/**
 * The ways by their names. Each counts a pattern in files and returns the same as the others. The files must hold UTF-8
 * text, which `inspect` in input.ts checks.
 */
export const ways = {
  'push coroutines': pushCoroutines,
  'pull async generators': pullGenerators,
  'Node streams': nodeStreams,
  'bytes, not decoded': inBytes,
} satisfies Record<string, (search: Search, files: string[]) => Count | Promise<Count>>

export type WayName = keyof typeof ways
