/**
 * fetch-many: many pages from a slow server: one after the other, blocking, all at once, and a few at a time
 *
 *     pnpm --filter 02-async start fetch-many
 *     pnpm --filter 02-async start fetch-many --pages 200 --limit 20
 *     pnpm --filter 02-async start fetch-many --fail 0.3 --retries 2
 *
 * The server is a process of its own on this machine. Its latencies and failures are simulated and follow from a seed,
 * so the time that each way should take is known beforehand.
 *
 * Look for: the time compared with the theory; how long the event loop stands still; and, with --fail, that all other
 * pages still arrive.
 */
import { setImmediate } from 'node:timers/promises'
import { costOf } from '@repo/common/cost'
import { example } from '@repo/common/example/example'
import { number, wholeNumber } from '@repo/common/example/options'
import { describeCost } from '@repo/common/output/costs'
import { progress } from '@repo/common/output/progress'
import { count, milliseconds } from '@repo/common/output/terminal'
import pLimit from 'p-limit'
import { watchLoop } from '../src/event-loop/loop-delay.ts'
import { startBlockingFetch } from '../src/pages/blocking-fetch.ts'
import { drawStrategies, type Strategy, strategiesTable, strategyOf, troubledTable } from '../src/pages/report.ts'
import { type Fetched, retry, sizeOf } from '../src/pages/retry.ts'
import { latencyOf, theoryOf } from '../src/pages/slow-pages.ts'
import { startSlowServer } from '../src/pages/slow-server.ts'

export default example(import.meta, {
  options: {
    pages: wholeNumber(1, 5_000).default(60).describe('how many pages to fetch'),
    limit: wholeNumber(1, 1_000).default(8).describe('how many at a time'),
    latency: wholeNumber(1, 10_000).default(100).describe('the mean latency of the server in ms'),
    fail: number(0, 1).default(0).describe('the share of requests that go wrong'),
    retries: wholeNumber(0, 20).default(3).describe('further attempts at a page that failed'),
    timeout: wholeNumber(1, 60_000)
      .optional()
      .describe('ms after which an attempt is given up; five times the latency by default'),
    seed: wholeNumber(0, 1_000_000).default(1).describe('decides the latencies and the failures'),
  },
  quick: { pages: 24 },

  async run({ pages: total, limit, latency, fail, retries, timeout = 5 * latency, seed }, { signal, print, picture }) {
    const site = { seed, latencyMs: latency, failRate: fail }
    await using server = await startSlowServer(site, signal)
    const numbers = Array.from({ length: total }, (_, page) => page)
    const latencies = numbers.map((page) => latencyOf(site, page))
    const theory = theoryOf(latencies, limit)
    print(`Fetching ${count(total)} pages with a mean latency of ${milliseconds(theory.sumMs / total)} …`)
    using bar = progress('fetching', 4 * total)
    let done = 0

    // One page. An attempt that fails, or takes longer than its time-out, is repeated after a random pause.
    const options = { timeoutMs: timeout, retries, backOffMs: 100, signal }
    async function fetchPage(page: number): Promise<Fetched> {
      const fetched = await retry(async (attempt, signal) => {
        const response = await fetch(`${server.url}/pages/${page}/${attempt}`, { signal })
        // The time-out covers the body too: a server can fall silent in the middle of it. An answer of 503 is no page.
        return await sizeOf(response)
      }, options)
      bar.update(++done)
      return fetched
    }
    // The first request takes longer than the others: it loads the client.
    await (await fetch(`${server.url}/open`, { signal })).text()
    await using blocking = await startBlockingFetch(server.url, options)

    // Many pages.
    const ways = {
      async 'one after the other'() {
        const pages: Fetched[] = []
        for (const page of numbers) pages.push(await fetchPage(page))
        return pages
      },
      async 'blocking the thread'() {
        const pages: Fetched[] = []
        for (const page of numbers) {
          pages.push(blocking.fetchPage(page))
          bar.update(++done)
          // The event loop turns once between two pages, so that Ctrl-C is heard.
          await setImmediate(undefined, { signal })
        }
        return pages
      },
      // #region ways
      'all at once': () => Promise.all(numbers.map(fetchPage)),
      // As many as the server, and this machine, can bear: a page starts when an earlier one has ended.
      [`${limit} at a time`]() {
        const atMost = pLimit(limit)
        return Promise.all(numbers.map((page) => atMost(() => fetchPage(page))))
      },
      // #endregion ways
    }

    const theoryMs = [theory.sumMs, theory.sumMs, theory.maxMs, theory.makespanMs]
    const strategies: Strategy[] = []
    for (const [at, [name, fetchAll]] of Object.entries(ways).entries()) {
      strategies.push(strategyOf(name, theoryMs[at] ?? Number.NaN, await watchLoop(fetchAll)))
    }
    // Blocking takes a second thread. What it must beat is one thread that does not block.
    const msOf = (blocks: boolean) =>
      strategies.filter(({ name }) => (name === 'blocking the thread') === blocks).map(({ ms }) => ms)
    const cost = costOf(
      Math.min(...msOf(false)),
      msOf(true).map((ms) => ({ workers: 1, ms })),
    )
    const result = {
      pages: total,
      limit,
      latencyMs: latency,
      failRate: fail,
      theory,
      strategies,
      ...cost,
      picture: await picture('fetch-many.svg', drawStrategies(strategies)),
    }
    print(
      '',
      strategiesTable(strategies),
      '',
      `In theory, without failures: the sum of all latencies, twice; the longest one; and the time of ${limit} places, each of which takes`,
      `the next page when it is free. The rule of thumb ceil(pages / limit) × mean gives ${milliseconds(theory.roundsMs)} for that.`,
      describeCost(cost, 'blocked threads'),
      ...strategies.slice(-1).flatMap(troubledTable),
      '',
      `Picture: ${result.picture}`,
    )
    return result
  },
  figure: ({ pages, limit, strategies, cost }) => {
    const [sequential, , , bounded] = strategies
    if (!sequential || !bounded) return ''
    return `${pages} pages one by one ${milliseconds(sequential.ms)}; ${limit} at a time ${milliseconds(bounded.ms)} (theory ${milliseconds(bounded.theoryMs)}); COST ${cost} blocked threads`
  },
})
