/** One way of searching in a process of its own, so that its memory can be told from that of the others. */
import { ready } from '@repo/common/ready'
import type { Search } from './pattern.ts'
import { type WayName, ways } from './ways.ts'

process.on('message', async ({ way, search, files }: { way: WayName; search: Search; files: string[] }) => {
  const start = performance.now()
  const count = await ways[way](search, files)
  const ms = performance.now() - start
  // maxRSS is in kibibytes on every system.
  process.send?.({ ...count, ms, peakRssMb: (process.resourceUsage().maxRSS * 1024) / 1e6 })
})
// The program that started it is gone.
process.on('disconnect', () => process.exit())
ready()
