/** Which sizes can be sorted here. */
import { UsageError } from '@repo/common/example/usage'
import { bytes, count } from '@repo/common/output/terminal'
import type { WayName } from './report.ts'

const mostInMessages = 10_000_000
/** What one number takes at the worst, here, in the workers and in Redis together. */
const bytesEach = { json: 200, bytes: 60 }

/** @throws UsageError for what does not fit together, or into the memory that is free */
export function requireRoom({ n, chunks, ways }: { n: number; chunks: number; ways: readonly WayName[] }): void {
  if (chunks > n) throw new UsageError('--chunks', chunks, `a whole number from 1 to ${n}, the numbers`)
  if (ways.includes('json') && n > mostInMessages) {
    throw new UsageError('--ways', ways, `bytes alone for more than ${count(mostInMessages)} numbers`)
  }
  const available = process.availableMemory()
  const most = Math.floor(available / Math.max(...ways.map((name) => bytesEach[name])))
  if (n > most) throw new UsageError('--n', n, `at most ${most} here: ${bytes(available)} of memory are free`)
}
