/** The search: with any seed it finds what breaks and keeps little of it; the same seed finds the same. */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { faults, scenarios, search } from '../src/search.ts'
import { historyText, type System, simulate } from '../src/simulator.ts'
import { keeper } from './keeper.ts'

const any = scenarios({
  requests: fc.array(fc.constantFrom('a', 'b', 'c'), { minLength: 1, maxLength: 6 }),
  // Faults strike the server, not the client.
  nodes: 1,
  messages: 40,
  withinMs: 60,
})

describe('scenarios', () => {
  it.each([undefined, 900])('have node faults of 300 ms at most, or of %s', (longestMs) => {
    const range = {
      requests: fc.constant<string[]>([]),
      nodes: 1,
      messages: 1,
      withinMs: 1,
      ...(longestMs && { longestMs }),
    }
    const nodes = fc.sample(scenarios(range), { seed: 1, numRuns: 500 }).flatMap((each) => each.nodes)
    const lasts = nodes.flatMap(({ fate, ms }) => (fate === 'clock' || fate === 'drift' ? [] : [ms]))
    expect(Math.max(...lasts)).toBeGreaterThan(0.9 * (longestMs ?? 300))
    expect(Math.max(...lasts)).toBeLessThanOrEqual(longestMs ?? 300)
    expect(lasts.filter((ms) => ms <= 300).length).toBeGreaterThan(lasts.length / 2)
  })

  it('have every fate of messages and nodes, within the range', () => {
    const sample = fc.sample(any, { seed: 1, numRuns: 2_000 })
    const [messages, nodes] = [sample.flatMap((each) => each.messages), sample.flatMap((each) => each.nodes)]
    const fates = (faults: { fate: string }[]) => [...new Set(faults.map(({ fate }) => fate))].sort()
    expect(fates(messages)).toEqual(['doubled', 'late', 'lost'])
    expect(fates(nodes)).toEqual([
      'clock',
      'crash',
      'crash after',
      'deaf',
      'drift',
      'mute',
      'partition',
      'power cut',
      'slow disk',
    ])
    expect(new Set(nodes.map(({ node }) => node))).toEqual(new Set([0]))
    const times = nodes.flatMap((each) => ('atMs' in each ? [each.atMs] : []))
    expect([Math.min(...times), Math.max(...times)]).toEqual([0, 60])
    const numbers = messages.map(({ number }) => number)
    expect([Math.min(...numbers), Math.max(...numbers)]).toEqual([1, 40])
    expect(sample.some(({ paces }) => paces === 0)).toBe(true)
    expect(sample.some(({ paces = 0 }) => paces > 0)).toBe(true)
  })
})

describe('the search', () => {
  it('finds what a crash loses, with any seed, and shortens it to one request and one crash', async () => {
    const seed = Math.floor(Math.random() * 2 ** 31)
    const { found } = await search(keeper(true), { seed, scenarios: any, histories: 20_000 })
    expect(found, `seed ${seed}`).toBeDefined()
    if (!found) return
    expect(found.run.violations).toEqual([expect.stringMatching(/^[abc] was kept, and is missing$/)])
    expect(found.shortest).toMatchObject({ messages: [], nodes: [{ node: 0, fate: 'crash' }] })
    expect(found.shortest.requests).toHaveLength(1)
    expect(found.scenario.requests.length + faults(found.scenario)).toBeGreaterThanOrEqual(2)
    expect(simulate(keeper(true), found.scenario).violations.length).toBeGreaterThan(0)
    // The haste breaks it, not the scenario.
    expect(simulate(keeper(), found.shortest).violations).toEqual([])
  })

  it('finds nothing where nothing is wrong', async () => {
    const seed = Math.floor(Math.random() * 2 ** 31)
    const report = await search(keeper(), { seed, scenarios: any, histories: 5_000 })
    expect(report.found, `seed ${seed}`).toBeUndefined()
    expect(report).toMatchObject({ histories: 5_000, shrinkMs: 0 })
    expect(report.messages).toBeGreaterThan(5_000 * 4)
  })

  it('finds the same with the same seed', async () => {
    const settings = { seed: 5, scenarios: any, histories: 5_000 }
    const [first, second] = [await search(keeper(true), settings), await search(keeper(true), settings)]
    expect(first.found).toBeDefined()
    expect(second.found).toEqual(first.found)
    expect(historyText(second.found?.run.history ?? [], ['server', 'client'])).toMatch(/server {3}crashes for/)
  })

  it('varies the shortest scenario: the history is no longer than without, and still breaks', async () => {
    const settings = { seed: 7, scenarios: any, histories: 5_000, beginnings: 1 }
    const without = await search(keeper(true), settings)
    const varied = await search(keeper(true), { ...settings, variations: 500 })
    expect(varied.found?.run.violations).toHaveLength(1)
    expect(varied.found?.run.messages).toBeLessThanOrEqual(without.found?.run.messages ?? 0)
    expect(varied.found?.shrinkRuns).toBe((without.found?.shrinkRuns ?? 0) + 500)
    const again = await search(keeper(true), { ...settings, variations: 500 })
    expect(again.found).toEqual(varied.found)
  })

  it('counts the faults that follow marks', () => {
    const marks = [{ number: 1, fate: 'crash' as const, afterMs: 0, ms: 1 }]
    expect(faults({ requests: [], jitter: 0, messages: [], nodes: [], marks })).toBe(1)
  })

  it('stops when it is told to', async () => {
    const controller = new AbortController()
    const searching = search(
      keeper(),
      { seed: 1, scenarios: any, histories: 1e7 },
      { signal: controller.signal, onProgress: () => controller.abort() },
    )
    await expect(searching).rejects.toThrow('aborted')
  })

  it('passes on what the system throws', async () => {
    const broken: System<string, string, string, string> = {
      ...keeper(),
      begin: () => {
        throw new TypeError('the system cannot begin')
      },
    } as never
    await expect(search(broken, { seed: 1, scenarios: any, histories: 10 })).rejects.toThrow('the system cannot begin')
  })
})
