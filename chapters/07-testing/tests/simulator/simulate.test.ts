/** The simulator: the same seed has the same history, every bug is found and shortened, the right version shows none. */
import { readFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { runExample } from '@repo/common/testing/testing'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { bugNames } from '../../src/pipeline/orders.ts'
import { faults, scenarios, search } from '../../src/simulator/search.ts'
import { historyText, nodes, type Scenario, simulate } from '../../src/simulator/simulator.ts'

const chapter = fileURLToPath(new URL('../..', import.meta.url))

/** Two good orders and no trouble. */
const calm: Scenario = {
  orders: [
    { item: 'book', quantity: 1, card: 'good' },
    { item: 'lamp', quantity: 2, card: 'good' },
  ],
  jitter: 0,
  messages: [],
  nodes: [],
}

describe('a simulated history', () => {
  it('is the same, byte for byte, for the same scenario, whether it is recorded or not', () => {
    fc.assert(
      fc.property(scenarios(4), fc.option(fc.constantFrom(...bugNames), { nil: undefined }), (scenario, bug) => {
        const first = simulate(scenario, { bug, record: true })
        const second = simulate(structuredClone(scenario), { bug, record: true })
        expect(historyText(second.history)).toBe(historyText(first.history))
        const { history: _, ...unrecorded } = simulate(scenario, { bug })
        expect(first).toMatchObject(unrecorded)
      }),
    )
  })

  it('takes the messages that one counts by hand when nothing goes wrong', () => {
    const { messages, violations, history } = simulate(calm, { record: true })
    // Of each order: create, send; the job to payment; charge, advance, send, end; the job to shipping; take, advance, end.
    // All but the two deliveries are answered.
    expect(messages).toBe(2 * (2 * 2 + 1 + 4 * 2 + 1 + 3 * 2))
    expect(violations).toEqual([])
    expect(history.every((line) => line.kind === 'message' && line.arrivesMs === line.sentMs + 1 && !line.lost)).toBe(
      true,
    )
  })

  it('goes by the wrong order with right clocks too, when a job is delivered twice', () => {
    const late: Scenario = { ...calm, jitter: 1, orders: calm.orders.slice(0, 1) }
    const scenario: Scenario = { ...late, nodes: [{ node: nodes.indexOf('server'), fate: 'crash', atMs: 13, ms: 94 }] }
    expect(simulate(scenario, { bug: 'clock-order' }).violations).toMatchObject([{ invariant: 'no order lost' }])
    expect(simulate(scenario).violations).toEqual([])
  })

  it('has what it is told to have: messages lost, doubled and late, nodes that crash, are cut off, and have wrong clocks', () => {
    const textOf = (change: Partial<Scenario>) =>
      historyText(simulate({ ...calm, ...change }, { record: true }).history)
    const fate = (name: 'lost' | 'doubled' | 'late') => textOf({ messages: [{ number: 1, fate: name, ms: 30 }] })
    expect(fate('lost')).toMatch(/create order-1 \(lost\)(?:.|\n)* 40 ms front .*create order-1 \(at 41 ms\)/)
    expect(fate('doubled')).toMatch(/create order-1 \(at 1 ms\)(?:.|\n)*create order-1 \(at 31 ms\)(?:.|\n)* known /)
    expect(fate('late')).toMatch(/create order-1 \(at 31 ms\)/)
    const node = (name: 'crash' | 'partition' | 'clock') =>
      textOf({ nodes: [{ node: nodes.indexOf('payment 1'), fate: name, atMs: 3, ms: 60 }] })
    expect(node('crash')).toMatch(/payment 1 {3,}crashes for 60 ms(?:.|\n)*\(payment 1 is down\)(?:.|\n)*delivery 2/)
    expect(node('partition')).toMatch(/payment 1 {3,}is cut off for 60 ms(?:.|\n)*\(cut off\)(?:.|\n)*delivery 2/)
    expect(node('clock')).toMatch(/payment 1 {3,}clock 60 ms off/)
  })
})

describe('the search', () => {
  it.each(bugNames)('finds %s with any seed, and keeps little of the history that showed it', async (bug) => {
    // Another one in every run. The message of a failure names it.
    const seed = Math.floor(Math.random() * 2 ** 31)
    const { found } = await search({ seed, histories: 20_000, orders: 4, bug })
    expect(found, `seed ${seed}`).toBeDefined()
    if (!found) return
    expect(found.run.violations.length).toBeGreaterThan(0)
    expect(found.shortest.orders.length).toBeLessThanOrEqual(2)
    expect(faults(found.shortest), JSON.stringify(found.shortest)).toBeLessThanOrEqual(2)
    // It is the bug that breaks it, not the scenario.
    expect(simulate(found.shortest).violations).toEqual([])
  })

  it('finds the same with the same seed', async () => {
    const settings = { seed: 5, histories: 5_000, orders: 4, bug: 'double-charge' as const }
    const [first, second] = [await search(settings), await search(settings)]
    expect(historyText(second.found?.run.history ?? [])).toBe(historyText(first.found?.run.history ?? []))
    expect(second.found?.after).toBe(first.found?.after)
    expect(first.found).toBeDefined()
  })

  it('stops when it is told to', async () => {
    const controller = new AbortController()
    const searching = search(
      { seed: 1, histories: 1e7, orders: 4 },
      { signal: controller.signal, onProgress: () => controller.abort() },
    )
    await expect(searching).rejects.toThrow('aborted')
  })
})

describe('simulate', () => {
  it('reports all versions, with the histories and pictures of what broke', async () => {
    const run = await runExample(chapter, 'simulate', ['--quick', '--histories', '5000', '--json', '--seed', '3'])
    expect(run, run.stderr).toMatchObject({ code: 0 })
    const result = run.json<{
      messages: number
      versions: { bug?: string; histories: number; violation?: object }[]
      found: { bug: string; history: string; picture: string }[]
    }>()
    expect(result).toMatchObject({ seed: 3, nodes: 5 })
    expect(result.messages).toBeGreaterThan(50)
    expect(result.versions[0]).toMatchObject({ histories: 5_000 })
    expect(result.versions[0]).not.toHaveProperty('violation')
    expect(result.found.map(({ bug }) => bug)).toEqual(bugNames)
    for (const { history, picture } of result.found) {
      expect(history).toMatch(/^ +0 ms front .* create order-1/m)
      expect(await readFile(picture, 'utf8')).toContain('send order-1 to payment')
    }
  })

  it('has the same histories with the same seed, byte for byte', async () => {
    const args = ['--bug', 'clock-order', '--json', '--seed', '9']
    const runs = await Promise.all([runExample(chapter, 'simulate', args), runExample(chapter, 'simulate', args)])
    const [first, second] = runs.map((run) => run.json<{ found: { history: string }[] }>().found[0]?.history)
    expect(first).toMatch(/create order-1/)
    expect(second).toBe(first)
  })

  it('helps', async () => {
    expect((await runExample(chapter, 'simulate', ['--help'])).stdout).toMatch(/--histories/)
  })

  it.each([
    ['--seed', '1.5'],
    ['--bug', 'none'],
    ['--histories', '0'],
    ['--orders', '21'],
  ])('refuses %s %s', async (option, value) => {
    const { code, stdout, stderr } = await runExample(chapter, 'simulate', [option, value])
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' })
    expect(stderr).toMatch(new RegExp(`^error: ${option}: received "${value}"; accepts .*\n$`))
  })
})
