/** The stepper as functions: its scenarios are what the search finds, and its invariants break when they do. */
import { readFile } from 'node:fs/promises'
import { search } from '@repo/simulator/search'
import { type Bug, bugNames } from '07-testing/pipeline/orders'
import { orderScenarios, simulatedPipeline } from '07-testing/pipeline/simulated'
import fc from 'fast-check'
import { expect, describe as group, it } from 'vitest'
import {
  describe,
  faultsAt,
  faultsOf,
  faultText,
  invariantsAt,
  nodeOf,
  tell,
  withFaults,
} from '../../src/interactive/history.ts'
import { shortest } from '../../src/interactive/shortest.ts'

/** The end of a run, when all is judged. */
const end = Number.POSITIVE_INFINITY
const brokenAt = (told: ReturnType<typeof tell>, atMs: number) =>
  invariantsAt(told, atMs).flatMap(({ name, details }) => (details.length > 0 ? [name] : []))

it.each(bugNames)(
  'has the shortest history of %s that simulate --seed 1 finds; without the bug nothing breaks',
  async (bug) => {
    const settings = { seed: 1, scenarios: orderScenarios(4), histories: 50_000 }
    const { found } = await search(simulatedPipeline(bug), settings)
    expect(shortest[bug]).toEqual(found?.shortest)
    const told = tell(shortest[bug], bug)
    expect(told.verdicts.at(-1)?.violations).toEqual(found?.run.violations)
    expect(brokenAt(told, end)).not.toEqual([])
    expect(brokenAt(tell(shortest[bug]), end)).toEqual([])
  },
)

it('tells the history that chapter 7 shows', async () => {
  const readme = await readFile(new URL('../../../chapters/07-testing/README.md', import.meta.url), 'utf8')
  expect(readme).toContain(tell(shortest['early-ack'], 'early-ack').text)
})

group('an invariant', () => {
  it('breaks in the moment that breaks it', () => {
    const told = tell(shortest['double-charge'], 'double-charge')
    const second = told.moments.findLast(({ line, isEnd }) => isEnd && 'text' in line && line.text === 'charge order-1')
    const atMs = second?.atMs ?? Number.NaN
    expect(brokenAt(told, atMs - 1)).toEqual([])
    expect(invariantsAt(told, atMs)).toContainEqual({
      name: 'money balances',
      details: ['order-1 was charged 2 times'],
    })
  })

  it('that no order is lost is judged at the end', () => {
    const told = tell(shortest['early-ack'], 'early-ack')
    const last = told.moments.at(-1)?.atMs ?? 0
    expect(brokenAt(told, last - 1)).toEqual([])
    expect(brokenAt(told, last)).toEqual(['no order lost'])
  })

  it('stays broken, and is broken by what has happened so far', () => {
    const told = tell(shortest['unbounded-retry'], 'unbounded-retry')
    const details = told.verdicts.map(({ violations }) => violations.map(({ detail }) => detail).join())
    const changes = details.filter((detail, at) => detail !== details[at - 1])
    expect(changes[0]).toBe('')
    expect(changes[1]).toBe('order-1 is tried again after 0 ms instead of 1 or more')
    expect(changes.at(-1)).toBe('the bank was asked 6 times for order-1')
    const bugs = fc.option(fc.constantFrom<Bug>(...bugNames), { nil: undefined })
    fc.assert(
      fc.property(orderScenarios(3), bugs, (scenario, bug) => {
        const told = tell(scenario, bug)
        let before: string[] = []
        for (const { atMs } of told.verdicts) {
          const broken = brokenAt(told, atMs)
          expect(broken).toEqual(expect.arrayContaining(before))
          before = broken
        }
      }),
      { numRuns: 30 },
    )
  })
})

group('a fault', () => {
  const calm = withFaults(shortest['early-ack'], [])

  it('is added at the moment that a reader looks at', () => {
    const arrival = tell(calm).moments.find(({ isEnd }) => isEnd)
    expect(arrival && describe(arrival)).toBe('1 ms: server receives “create order-1” from front')
    if (!arrival) return
    expect(nodeOf(arrival)).toBe('server')
    const { lose, crash } = faultsAt(arrival)
    expect(lose && faultText(lose)).toBe('message 1 is lost')
    expect(faultText(crash)).toBe('server crashes for 60 ms, at 1 ms')
    expect(tell(withFaults(calm, lose ? [lose] : [])).text).toMatch(/^ +0 ms front +→ server +create order-1 \(lost\)/)
    expect(tell(withFaults(calm, [crash])).text).toContain('create order-1 (server is down)')
  })

  it('names the message that it strikes, also after one that was doubled', () => {
    const doubled = withFaults(calm, [{ kind: 'message', fault: { number: 1, fate: 'doubled', ms: 5 } }])
    const numbers = tell(doubled).arrows.map(({ line }) => line.number)
    expect(numbers.slice(0, 3)).toEqual([1, 1, 2])
  })

  it('is one of a scenario’s own, and all of them make the scenario again', () => {
    fc.assert(
      fc.property(orderScenarios(2), (scenario) => {
        expect(withFaults(scenario, faultsOf(scenario))).toEqual(scenario)
        for (const fault of faultsOf(scenario)) expect(faultText(fault)).toMatch(/^(?!.*(undefined|NaN|object)).*\w/)
      }),
    )
  })
})
