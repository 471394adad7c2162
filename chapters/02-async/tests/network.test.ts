import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import type { AddressInfo } from 'node:net'
import { stateOfTheUnionFiles } from '@repo/common/workloads/texts'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type HandlerName, handlers, lineServer, wordIndex } from '../src/line-server/line-server.ts'
import { openConnection, openMany, putLoad } from '../src/line-server/load.ts'
import { startBlockingFetch } from '../src/pages/blocking-fetch.ts'
import { backOff, fetchPage } from '../src/pages/fetch-page.ts'
import { type Fault, faultOf, faults, latencyOf, type Site, theoryOf } from '../src/pages/slow-pages.ts'
import { startSlowServer } from '../src/pages/slow-server.ts'

const calm: Site = { seed: 1, latencyMs: 2, failRate: 0 }
const options = { timeoutMs: 5_000, retries: 0, backOffMs: 1 }

describe('the theory', () => {
  it('is the schedule of a list on free places', () => {
    expect(theoryOf([5, 1, 1, 1, 2], 2)).toEqual({ sumMs: 10, maxMs: 5, roundsMs: 6, makespanMs: 5 })
    expect(theoryOf([5, 1, 1, 1, 4], 2)).toMatchObject({ makespanMs: 7 })
    expect(theoryOf([3, 2, 4], 10)).toMatchObject({ makespanMs: 4, maxMs: 4 })
  })

  it('lies between its bounds', () => {
    const latencies = fc.array(fc.integer({ min: 1, max: 100 }), { minLength: 1 })
    fc.assert(
      fc.property(latencies, fc.integer({ min: 1, max: 20 }), (list, limit) => {
        const { sumMs, maxMs, makespanMs } = theoryOf(list, limit)
        expect(makespanMs).toBeGreaterThanOrEqual(Math.max(maxMs, sumMs / limit) - 1e-9)
        // Graham's bound for lists.
        expect(makespanMs).toBeLessThanOrEqual(sumMs / limit + (1 - 1 / limit) * maxMs + 1e-9)
        expect(theoryOf(list, 1).makespanMs).toBeCloseTo(sumMs)
      }),
    )
  })

  it('knows latencies and failures from the seed', () => {
    const pages = Array.from({ length: 2_000 }, (_, page) => page)
    const site = { seed: 7, latencyMs: 100, failRate: 0.3 }
    const latencies = pages.map((page) => latencyOf(site, page))
    expect(Math.min(...latencies)).toBeGreaterThanOrEqual(50)
    expect(Math.max(...latencies)).toBeLessThan(150)
    expect(latencies).toEqual(pages.map((page) => latencyOf(site, page)))
    const found = pages.map((page) => faultOf(site, page, 1)).filter((fault) => fault !== undefined)
    expect(found.length / pages.length).toBeCloseTo(0.3, 1)
    expect(new Set(found)).toEqual(new Set(faults))
    expect(pages.every((page) => faultOf(calm, page, 1) === undefined)).toBe(true)
    expect(pages.every((page) => faultOf({ ...site, failRate: 1 }, page, 1) !== undefined)).toBe(true)
  })

  it('spreads the pauses between attempts', () => {
    expect([1, 2, 3].map((attempt) => backOff(attempt, 100, 0.5))).toEqual([50, 100, 200])
  })
})

/** The first page whose first attempt meets a fault and whose second does not. */
function pageWith(site: Site, fault: Fault): number {
  for (let page = 0; ; page++) if (faultOf(site, page, 1) === fault && faultOf(site, page, 2) === undefined) return page
}

describe('fetching', () => {
  it('returns whole pages', async () => {
    await using server = await startSlowServer(calm)
    const files = stateOfTheUnionFiles()
    const pages = await Promise.all([0, 17, files.length].map((page) => fetchPage(server.url, page, options)))
    const sizes = [0, 17, 0].map((at) => readFileSync(files[at] ?? '').length)
    expect(pages.map(({ bytes, ok, failures }) => ({ bytes, ok, failures }))).toEqual(
      sizes.map((bytes) => ({ bytes, ok: true, failures: [] })),
    )
  })

  it.each<[Fault, string]>([
    ['reset', 'connection reset'],
    ['half', 'answer cut off'],
    ['stall', 'no complete answer within 1000 ms'],
    ['never', 'no complete answer within 1000 ms'],
  ])('reports a server that sends: %s; and tries again', async (fault, reason) => {
    const site = { ...calm, failRate: 0.5 }
    await using server = await startSlowServer(site)
    const page = pageWith(site, fault)
    // Only a server that is silent has to be waited for.
    const timed = { ...options, timeoutMs: ['stall', 'never'].includes(fault) ? 1_000 : 60_000 }
    const [once, twice] = await Promise.all([0, 1].map((retries) => fetchPage(server.url, page, { ...timed, retries })))
    expect(once).toMatchObject({ page, ok: false, bytes: 0, failures: [reason] })
    expect(twice).toMatchObject({ ok: true, failures: [reason] })
  })

  it('gives up a page and still fetches the rest', async () => {
    const site = { ...calm, failRate: 0.4 }
    await using server = await startSlowServer(site)
    const numbers = Array.from({ length: 40 }, (_, page) => page)
    const pages = await Promise.all(
      numbers.map((page) => fetchPage(server.url, page, { ...options, timeoutMs: 1_500, retries: 1 })),
    )
    const lost = numbers.filter((page) => faultOf(site, page, 1) && faultOf(site, page, 2))
    expect(lost.length).toBeGreaterThan(0)
    expect(pages.filter(({ ok }) => !ok).map(({ page }) => page)).toEqual(lost)
  })

  it('says that nobody listens, and ends when it is cancelled', async () => {
    await using server = await startSlowServer({ ...calm, latencyMs: 60_000 })
    const { signal, abort } = { ...controlled() }
    const waiting = fetchPage(server.url, 1, { ...options, timeoutMs: 60_000, signal })
    abort()
    await expect(waiting).rejects.toThrow('enough')
    await server[Symbol.asyncDispose]()
    expect((await fetchPage(server.url, 1, options)).failures).toEqual([expect.stringContaining('ECONNREFUSED')])
  })

  it('blocks the thread when it is asked to', async () => {
    await using server = await startSlowServer({ ...calm, latencyMs: 20 })
    await using blocking = await startBlockingFetch(server.url, options)
    let turned = false
    setImmediate(() => {
      turned = true
    })
    const pages = [blocking.fetchPage(0), blocking.fetchPage(1)]
    expect(turned).toBe(false)
    expect(pages.map(({ page, ok }) => ({ page, ok }))).toEqual([
      { page: 0, ok: true },
      { page: 1, ok: true },
    ])
  })
})

function controlled() {
  const controller = new AbortController()
  return { signal: controller.signal, abort: () => controller.abort(new Error('enough')) }
}

describe.each(Object.keys(handlers) as HandlerName[])('the line server, %s', (name) => {
  it('answers every client with the count of its own word', async () => {
    const server = lineServer(name, new Map([['whale', 3]]), 1).listen(0, '127.0.0.1')
    await once(server, 'listening')
    const { port } = server.address() as AddressInfo
    const connections = await openMany(port, 5, () => {})
    const words = ['whale', 'ship', 'ping', 'é', '']
    expect(await Promise.all(connections.map((connection, at) => connection.ask(words[at] ?? '')))).toEqual([
      'whale 3',
      'ship 0',
      'pong',
      'é 0',
      ' 0',
    ])
    // One that hangs up in the middle of a request does not disturb the others.
    void connections[0]?.ask('whale').catch(() => {})
    connections[0]?.[Symbol.dispose]()
    expect(await connections[1]?.ask('whale')).toBe('whale 3')
    for (const connection of connections) connection[Symbol.dispose]()
    server.close()
    await once(server, 'close')
  })
})

it('the load counts what it was answered', async () => {
  const server = lineServer('asynchronous', wordIndex(), 1).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  using connection = await openConnection(port)
  // As `grep -oiw queequeg | wc -l` counts it in all chapters.
  expect(await connection.ask('queequeg')).toBe('queequeg 251')
  const result = await putLoad({ port, clients: 4, durationMs: 500, words: ['whale', 'sea'] })
  expect(result).toMatchObject({ wrong: 0 })
  expect(result.requests).toBeGreaterThanOrEqual(4)
  expect(result.p99Ms).toBeGreaterThanOrEqual(result.p50Ms)
  server.close()
})
