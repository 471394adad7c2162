/** One way of searching in a process of its own, so that its memory can be measured apart from the others'. */
import { readFileSync } from 'node:fs'
import { ready } from '@repo/common/process/ready'
import type { Search } from './pattern.ts'
import { type WayName, ways } from './ways.ts'

process.on('message', async ({ way, search, files }: { way: WayName; search: Search; files: string[] }) => {
  const start = performance.now()
  const count = await ways[way](search, files)
  const ms = performance.now() - start
  process.send?.({ ...count, ms, peakRssMb: (peakRssKib() * 1024) / 1e6 })
})

function peakRssKib(): number {
  // On Linux, maxRSS starts with the memory of the parent process. VmHWM is this program's own.
  const status = process.platform === 'linux' ? readFileSync('/proc/self/status', 'utf8') : ''
  return Number(/^VmHWM:\s*(\d+) kB$/m.exec(status)?.[1] ?? process.resourceUsage().maxRSS)
}

// Its owner has gone.
process.on('disconnect', () => process.exit())
ready()
