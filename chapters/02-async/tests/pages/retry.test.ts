import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { stateOfTheUnionFiles } from '@repo/common/workloads/texts'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { backOff, type RetryOptions, retry, sizeOf } from '../../src/pages/retry.ts'
import { type Fault, faultOf, type Site } from '../../src/pages/slow-pages.ts'
import { type SlowServer, startSlowServer } from '../../src/pages/slow-server.ts'

const calm: Site = { seed: 1, latencyMs: 2, failRate: 0 }
const flaky: Site = { ...calm, failRate: 0.4 }
const options = { timeoutMs: 60_000, retries: 0, backOffMs: 1 }

/** A page of the slow server, as `fetch-many` fetches it. */
async function fetchPage(url: string, page: number, options: RetryOptions) {
  return await retry(async (attempt, signal) => {
    return await sizeOf(await fetch(`${url}/pages/${page}/${attempt}`, { signal }))
  }, options)
}

/** The first page whose first attempt meets a fault and whose second does not. */
function pageWith(site: Site, fault: Fault): number {
  for (let page = 0; ; page++) if (faultOf(site, page, 1) === fault && faultOf(site, page, 2) === undefined) return page
}

const isSilent = (fault?: Fault) => fault === 'stall' || fault === 'never'

describe('fetching', () => {
  let calmServer: SlowServer
  let flakyServer: SlowServer
  beforeAll(async () => {
    calmServer = await startSlowServer(calm)
    flakyServer = await startSlowServer(flaky)
  })
  afterAll(() => Promise.all([calmServer, flakyServer].map((server) => server[Symbol.asyncDispose]())))

  it('returns whole pages', async () => {
    const files = stateOfTheUnionFiles()
    const pages = await Promise.all([0, 17, files.length].map((page) => fetchPage(calmServer.url, page, options)))
    const sizes = [0, 17, 0].map((at) => readFileSync(files[at] ?? '').length)
    expect(pages.map(({ bytes, ok, failures }) => ({ bytes, ok, failures }))).toEqual(
      sizes.map((bytes) => ({ bytes, ok: true, failures: [] })),
    )
  })

  it.each<[Fault, string]>([
    ['reset', 'connection reset'],
    ['half', 'answer cut off'],
    ['stall', 'no complete answer within 200 ms'],
    ['never', 'no complete answer within 200 ms'],
  ])('reports a server that sends: %s; and tries again', async (fault, reason) => {
    const page = pageWith(flaky, fault)
    // Only a server that is silent has to be waited for, and only at the first attempt: the answer to the second may take
    // its time on a busy machine.
    const timed = { ...options, timeoutMs: isSilent(fault) ? 200 : 60_000 }
    const fetchTimed = (retries: number) =>
      retry(
        async (attempt, signal) => {
          const url = `${flakyServer.url}/pages/${page}/${attempt}`
          return await sizeOf(await fetch(url, attempt === 1 ? { signal } : {}))
        },
        { ...timed, retries },
      )
    const [once, twice] = await Promise.all([0, 1].map(fetchTimed))
    expect(once).toMatchObject({ ok: false, bytes: 0, failures: [reason] })
    expect(twice).toMatchObject({ ok: true, failures: [reason] })
  })

  it('gives up a page and still fetches the rest', async () => {
    // Pages for which the server is never silent.
    const numbers = Array.from({ length: 80 }, (_, page) => page).filter(
      (page) => ![1, 2].some((attempt) => isSilent(faultOf(flaky, page, attempt))),
    )
    const pages = await Promise.all(numbers.map((page) => fetchPage(flakyServer.url, page, { ...options, retries: 1 })))
    const lost = numbers.filter((page) => faultOf(flaky, page, 1) && faultOf(flaky, page, 2))
    expect(lost.length).toBeGreaterThan(0)
    expect(numbers.filter((_, at) => !pages[at]?.ok)).toEqual(lost)
  })

  it('does not take an error for a page: a busy server is asked again', async () => {
    const served: Record<string, number> = {}
    const server = createServer(({ url = '' }, response) => {
      served[url] = (served[url] ?? 0) + 1
      const status = url.startsWith('/missing') ? 404 : served[url] <= 2 ? 503 : 200
      response.writeHead(status).end(status === 200 ? 'a page' : 'an error, in many more words than the page')
    }).listen(0, '127.0.0.1')
    await once(server, 'listening')
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
    const fetchFrom = (path: string, retries: number) =>
      retry(async (_, signal) => await sizeOf(await fetch(url + path, { signal })), { ...options, retries })
    expect(await fetchFrom('/busy', 3)).toMatchObject({
      ok: true,
      bytes: 6,
      failures: ['answered 503', 'answered 503'],
    })
    expect(await fetchFrom('/busier', 1)).toMatchObject({ ok: false, bytes: 0 })
    expect(await fetchFrom('/missing', 1)).toMatchObject({ ok: false, failures: ['answered 404', 'answered 404'] })
    expect(served).toEqual({ '/busy': 3, '/busier': 2, '/missing': 2 })
    server.close()
  })

  it('waits for an answer and between attempts for any time', async () => {
    const attempts = [2 ** 31, 2 ** 40, Infinity, 0.5].map((timeoutMs) =>
      retry(async (_, signal) => Number(signal.aborted), { ...options, timeoutMs }),
    )
    for (const { ok, bytes } of await Promise.all(attempts)) expect({ ok, bytes }).toEqual({ ok: true, bytes: 0 })
    // A pause of 25 days is not over at once.
    const cancelling = new AbortController()
    let tries = 0
    const never = retry(
      async () => {
        // The pause after it has begun when the loop turns.
        setTimeout(() => cancelling.abort(new Error('enough')), 20)
        throw new Error(`failure ${++tries}`)
      },
      { timeoutMs: 1_000, retries: 5, backOffMs: 1e15, signal: cancelling.signal },
    )
    await expect(never).rejects.toThrow('enough')
    expect(tries).toBe(1)
  })

  it('says that nothing is listening, and ends when it is cancelled', async () => {
    await using server = await startSlowServer({ ...calm, latencyMs: 60_000 })
    const cancelling = new AbortController()
    const waiting = fetchPage(server.url, 1, { ...options, timeoutMs: 60_000, signal: cancelling.signal })
    cancelling.abort(new Error('enough'))
    await expect(waiting).rejects.toThrow('enough')
    await server[Symbol.asyncDispose]()
    expect((await fetchPage(server.url, 1, options)).failures).toEqual([expect.stringContaining('ECONNREFUSED')])
  })
})

it('spreads the pauses between attempts', () => {
  expect([1, 2, 3].map((attempt) => backOff(attempt, 100, 0.5))).toEqual([50, 100, 200])
})
