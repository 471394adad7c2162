/**
 * Asks for rates in one way and reports the time and the memory it took; a process of its own for each way, so that none
 * hides what another needs. Argument: JSON.
 */

import { ready } from '@repo/common/process/ready'
import type { Pair, Rate } from '@repo/common/texts/rates'
import { type WayName, ways } from './currency.ts'

/** What it reports: the rates, or why there are none. */
export type CurrencyReport = { ms: number; rates: Rate[]; startBytes: number; peakBytes: number } | { error: string }

const { way, address, pairs } = JSON.parse(process.argv[2] ?? '') as { way: WayName; address: string; pairs: Pair[] }
const startBytes = process.memoryUsage.rss()
let peakBytes = startBytes
const sampling = setInterval(() => {
  peakBytes = Math.max(peakBytes, process.memoryUsage.rss())
}, 5)
try {
  const begin = performance.now()
  const rates = await ways[way](address, pairs)
  const ms = performance.now() - begin
  ready({ ms, rates, startBytes, peakBytes: Math.max(peakBytes, process.memoryUsage.rss()) } satisfies CurrencyReport)
} catch (error) {
  ready({ error: error instanceof Error ? error.message : String(error) } satisfies CurrencyReport)
}
clearInterval(sampling)
