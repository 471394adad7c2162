/** The simulated pipeline: what happens to the real one happens to it, and every bug is found and shortened. */
import { readFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { runHere } from '@repo/common/testing/run-here'
import { runExample } from '@repo/common/testing/testing'
import { faults, search } from '@repo/simulator/search'
import { historyText, type Run, type Scenario, simulate } from '@repo/simulator/simulator'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import example from '../../examples/simulate.ts'
import { type Bug, bugNames } from '../../src/pipeline/orders.ts'
import { nodes, orderScenarios, simulatedPipeline, type Wanted } from '../../src/pipeline/simulated.ts'

const chapter = fileURLToPath(new URL('../..', import.meta.url))

const run = (scenario: Scenario<Wanted>, bug?: Bug) => simulate(simulatedPipeline(bug), scenario, { record: true })
const textOf = ({ history }: Pick<Run<unknown>, 'history'>) => historyText(history, nodes)

/** Two good orders and no faults. */
const calm: Scenario<Wanted> = {
  requests: [
    { item: 'book', quantity: 1, cents: 100, card: 'good' },
    { item: 'lamp', quantity: 2, cents: 250, card: 'good' },
  ],
  jitter: 0,
  messages: [],
  nodes: [],
}

describe('a simulated history', () => {
  it('is the same, byte for byte, for the same scenario, whether it is recorded or not', () => {
    fc.assert(
      fc.property(orderScenarios(4), fc.option(fc.constantFrom(...bugNames), { nil: undefined }), (scenario, bug) => {
        const first = run(scenario, bug)
        const second = run(structuredClone(scenario), bug)
        expect(textOf(second)).toBe(textOf(first))
        const { history: _, ...unrecorded } = simulate(simulatedPipeline(bug), scenario)
        expect(first).toMatchObject(unrecorded)
      }),
    )
  })

  it('takes as many messages as a count by hand gives when nothing goes wrong', () => {
    const { messages, violations, history } = run(calm)
    // For each order: create, send; the job to payment; charge, advance, send, end; the job to shipping; take, advance,
    // end. All but the two deliveries are answered.
    expect(messages).toBe(2 * (2 * 2 + 1 + 4 * 2 + 1 + 3 * 2))
    expect(violations).toEqual([])
    expect(history.every((line) => line.kind === 'message' && line.arrivesMs === line.sentMs + 1 && !line.lost)).toBe(
      true,
    )
  })

  it('shows clock-order with right clocks too, when a job is delivered twice', async () => {
    const scenarios = orderScenarios(1).map((any) => ({
      ...any,
      nodes: any.nodes.filter(({ fate }) => fate === 'crash' || fate === 'partition'),
    }))
    const { found } = await search(simulatedPipeline('clock-order'), { seed: 1, scenarios, histories: 20_000 })
    expect(found?.run.violations.map(({ invariant }) => invariant)).toContain('states move forward')
    expect(found && run(found.shortest).violations).toEqual([])
  })

  it('has the faults of its scenario: messages lost, duplicated and late, nodes that crash, are cut off, and have wrong clocks', () => {
    const fate = (name: 'lost' | 'doubled' | 'late') =>
      textOf(run({ ...calm, messages: [{ number: 1, fate: name, ms: 30 }] }))
    expect(fate('lost')).toMatch(/create order-1 \(lost\)(?:.|\n)* 40 ms front .*create order-1 \(at 41 ms\)/)
    expect(fate('doubled')).toMatch(/create order-1 \(at 1 ms\)(?:.|\n)*create order-1 \(at 31 ms\)(?:.|\n)* known /)
    expect(fate('late')).toMatch(/create order-1 \(at 31 ms\)/)
    const node = (name: 'crash' | 'partition' | 'clock') =>
      textOf(run({ ...calm, nodes: [{ node: nodes.indexOf('payment 1'), fate: name, atMs: 3, ms: 60 }] }))
    expect(node('crash')).toMatch(/payment 1 {3,}crashes for 60 ms(?:.|\n)*\(payment 1 is down\)(?:.|\n)*delivery 2/)
    expect(node('partition')).toMatch(/payment 1 {3,}is cut off for 60 ms(?:.|\n)*\(cut off\)(?:.|\n)*delivery 2/)
    expect(node('clock')).toMatch(/payment 1 {3,}clock 60 ms off/)
  })
})

describe('the search', () => {
  it.each(bugNames)('finds %s with any seed, and keeps little of the history that showed it', async (bug) => {
    // A new seed in every run. A failure's message names it.
    const seed = Math.floor(Math.random() * 2 ** 31)
    const settings = { seed, scenarios: orderScenarios(4), histories: 20_000 }
    const { found } = await search(simulatedPipeline(bug), settings)
    expect(found, `seed ${seed}`).toBeDefined()
    if (!found) return
    expect(found.run.violations.length).toBeGreaterThan(0)
    expect(found.shortest.requests.length).toBeLessThanOrEqual(2)
    expect(faults(found.shortest), JSON.stringify(found.shortest)).toBeLessThanOrEqual(2)
    // The bug breaks the invariant, not the scenario.
    expect(run(found.shortest).violations).toEqual([])
  })
})

describe('simulate', () => {
  it('reports all versions, with the histories and pictures of what broke; another process has the same ones', async () => {
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
    // The same seed has the same histories, byte for byte.
    const again = await runHere(example, '--bug', 'clock-order', '--histories', '5000', '--json', '--seed', '3')
    const [same] = again.json<typeof result>().found
    expect(same?.history).toBe(result.found.find(({ bug }) => bug === 'clock-order')?.history)
  })

  it('prints its help', async () => {
    expect((await runHere(example, '--help')).stdout).toMatch(/--histories/)
  })

  it.each([{ seed: '1.5' }, { bug: 'none' }, { histories: '0' }, { orders: '21' }])('refuses %j', async (options) => {
    const [[name, value] = []] = Object.entries(options)
    await expect(example.run(options as object)).rejects.toThrow(`--${name}: received "${value}"; accepts `)
  })
})
