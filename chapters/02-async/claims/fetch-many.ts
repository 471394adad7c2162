import { claims } from '@repo/common/example/claims'
import fetchMany from '../examples/fetch-many.ts'

type Result = Awaited<ReturnType<typeof fetchMany.run>>

function way({ strategies }: Result, name: string) {
  const found = strategies.find((strategy) => strategy.name === name)
  if (!found) throw new Error(`no way ${name}`)
  return found
}

const inMs = (...values: number[]) => values.map((value) => `${value.toFixed(0)} ms`).join(', ')

export default claims(fetchMany, {
  'one-by-one-takes-the-sum': {
    says: 'One after the other takes at least 95 % of the sum of all latencies.',
    // The server's timers may be a millisecond early.
    holds: (result) => way(result, 'one after the other').ms >= 0.95 * result.theory.sumMs,
    values: (result) => inMs(way(result, 'one after the other').ms, result.theory.sumMs),
  },
  'eight-places': {
    says: 'Eight at a time are at least three times as fast as one after the other.',
    holds: (result) => way(result, 'one after the other').ms >= 3 * way(result, '8 at a time').ms,
    values: (result) => inMs(way(result, '8 at a time').ms, way(result, 'one after the other').ms),
  },
  'blocking-stops-the-loop': {
    says: 'Blocked, the loop stands still for the whole of the longest request.',
    holds: (result) => way(result, 'blocking the thread').standstillMs >= 0.95 * result.theory.maxMs,
    values: (result) => inMs(way(result, 'blocking the thread').standstillMs, result.theory.maxMs),
  },
  'blocked-thread-never-wins': {
    says: 'One blocked thread, which waits for one page after the other, cannot beat it.',
    holds: ({ cost }) => cost === 'not up to 1',
    values: ({ cost }) => `COST ${cost}`,
  },
  'retries-complete': {
    says: 'With three retries, all 20 pages arrive, for 28 requests.',
    holds: ({ strategies }) => strategies.every(({ ok, attempts }) => ok === 20 && attempts === 28),
    values: ({ strategies }) => strategies.map(({ ok, attempts }) => `${ok} for ${attempts}`).join(', '),
    // Longer than any stall of the machine. Only the requests that are never answered take this long.
    args: ['--quick', '--fail', '0.3', '--pages', '20', '--timeout', '2000'],
  },
})
