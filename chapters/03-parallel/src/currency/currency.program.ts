/**
 * Asks for rates in one way; reports them with the time and the memory it took. Its argument is a CurrencyRequest as
 * JSON.
 */
import { ready } from '@repo/common/process/ready'
import { type CurrencyReport, type CurrencyRequest, ways } from './currency.ts'

const { way, address, pairs } = JSON.parse(process.argv[2] ?? '') as CurrencyRequest
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
  ready({ error: error instanceof Error ? error.message : String(error) })
}
clearInterval(sampling)
