/** Gossip: rumours reach everybody in the rounds that theory says; failures are found, and suspicion helps. */
import { readFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { slopeOf } from '@repo/common/cost'
import { runHere } from '@repo/common/testing/run-here'
import { runExample } from '@repo/common/testing/testing'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import gossip from '../../examples/gossip.ts'
import { spread, ways } from '../../src/gossip/spread.ts'
import { type Message, type News, overrides, startMember } from '../../src/gossip/swim.ts'
import { trial } from '../../src/gossip/trial.ts'

const chapter = fileURLToPath(new URL('../..', import.meta.url))
const mean = (values: number[]) => values.reduce((sum, value) => sum + value, 0) / values.length

describe('a rumour', () => {
  it('reaches everybody, by each way, and is carried at least once to each', () => {
    fc.assert(
      fc.property(fc.integer({ min: 2, max: 60 }), fc.constantFrom(...ways), fc.nat(1_000), (nodes, way, seed) => {
        const { rounds, messages, carrying } = spread({ nodes, way, seed })
        expect(rounds).toBeGreaterThan(0)
        expect(carrying).toBeGreaterThanOrEqual(nodes - 1)
        expect(messages).toBeGreaterThanOrEqual(carrying)
        expect(spread({ nodes, way, seed })).toEqual({ rounds, messages, carrying })
      }),
      { numRuns: 50 },
    )
  })

  it('takes rounds that grow with the logarithm, fastest when both tell', () => {
    const slopes = ways.map((way) =>
      slopeOf(
        [10, 100, 1_000].map((nodes) => ({
          x: Math.log10(nodes),
          y: mean([1, 2, 3, 4, 5].map((seed) => spread({ nodes, way, seed }).rounds)),
        })),
      ),
    )
    const [push = 0, pull = 0, both = 0] = slopes
    // Push takes log2 n + ln n rounds (Pittel 1987), which is 5.6 for each factor of ten; push–pull log3 n, which is 2.1
    // (Karp et al. 2000). There, all rounds begin at the same time.
    expect(push).toBeGreaterThan(3.5)
    expect(push).toBeLessThan(6)
    expect(both).toBeGreaterThan(1.4)
    expect(both).toBeLessThan(2.8)
    expect(pull).toBeGreaterThan(both)
    expect(pull).toBeLessThan(push)
  })

  it('is refused by a group of one', () => {
    expect(() => spread({ nodes: 1, way: 'push', seed: 1 })).toThrow('nodes: received 1')
  })
})

describe('news', () => {
  const news = fc.record({
    member: fc.constant('m'),
    state: fc.constantFrom('alive', 'suspect', 'dead'),
    incarnation: fc.nat(3),
  })

  it('leads to the same belief in any order, any number of times', () => {
    const believe = (heard: News[]) => heard.reduce((known, each) => (overrides(each, known) ? each : known))
    fc.assert(
      fc.property(fc.array(news, { minLength: 1 }), (heard) => {
        expect(believe(heard.toReversed())).toEqual(believe(heard))
        expect(believe([...heard, ...heard])).toEqual(believe(heard))
      }),
    )
  })

  it('of its own death is contradicted by a member, with a higher incarnation', () => {
    const told: News[] = []
    const world = { now: 0, random: () => 0, run: () => {}, later: () => {} }
    const given = { name: 'a', members: ['a', 'b'], periodMs: 10, answerMs: 3, helpers: 1, suspicionMs: 10 }
    const receive = startMember(world, { ...given, onDead: (dead) => told.push(dead) })
    const dead: News = { member: 'a', state: 'dead', incarnation: 4 }
    const answer = receive({ kind: 'ping', number: 1, news: [dead] }, 'b')
    const first = (answer as Generator<{ message: Message }>).next().value
    expect(first.message).toMatchObject({ kind: 'answer', news: [{ member: 'a', state: 'alive', incarnation: 5 }] })
    expect(told).toEqual([])
  })
})

describe('a group', () => {
  const given = { members: 20, crashes: 4, periods: 150, helpers: 3 }

  it('finds each crash, and calls nobody dead when no message is lost', () => {
    const found = [1, 2, 3].flatMap((seed) => {
      const { crashes, falseAlarms } = trial({ ...given, loss: 0, suspicion: 0, seed })
      expect(falseAlarms).toBe(0)
      return crashes.map((crash) => crash.found)
    })
    // In the paper, the first ping of a member that has failed comes after e / (e − 1) = 1.6 periods. Its own period ends
    // before it is called dead. Nobody waits longer than for two rounds of pings.
    expect(mean(found)).toBeGreaterThan(1)
    expect(mean(found)).toBeLessThan(3.5)
    expect(Math.max(...found)).toBeLessThan(2 * given.members)
  })

  it('makes fewer mistakes with suspicion, and takes longer', () => {
    const hasty = trial({ ...given, loss: 0.15, suspicion: 0, seed: 1 })
    const patient = trial({ ...given, loss: 0.15, suspicion: 8, seed: 1 })
    expect(hasty.falseAlarms).toBeGreaterThan(10)
    expect(patient.falseAlarms).toBeLessThan(hasty.falseAlarms / 5)
    expect(patient.crashes.every(({ found, known }) => found > 8 && Number.isFinite(known))).toBe(true)
  })
})

describe('gossip', () => {
  it('spreads rumours, finds the killed process, and leaves nothing behind', async () => {
    const run = await runExample(chapter, 'gossip', ['--quick', '--json', '--nodes', '3,30,300', '--loss', '0,10'])
    expect(run, run.stderr).toMatchObject({ code: 0 })
    const result = run.json<{ processes: { reports: { by: string }[] }; trials: object[]; picture: string }>()
    expect(result.trials).toHaveLength(4)
    expect(result.processes).toMatchObject({ killed: 'p1' })
    expect(new Set(result.processes.reports.map(({ by }) => by))).toEqual(new Set(['p2', 'p3', 'p4']))
    expect(await readFile(result.picture, 'utf8')).toContain('push–pull')
    expect(await run.leftBehind()).toEqual([])
  })

  it('ends on Ctrl-C and leaves nothing behind', async () => {
    const interrupted = () =>
      runExample(chapter, 'gossip', ['--quick', '--nodes', '3,30'], { interruptWhen: /in a period\.\n/ })
    let run = await interrupted()
    // The processes find the killed one in two seconds. On a busy machine Ctrl-C may come later than that.
    while (run.code === 0) run = await interrupted()
    expect(run).toMatchObject({ code: 130, stdout: expect.not.stringContaining('was told') })
    expect(await run.leftBehind()).toEqual([])
  })

  it('prints its help', async () => {
    expect((await runHere(gossip, '--help')).stdout).toMatch(/--suspicion/)
  })

  it.each([{ nodes: '10' }, { nodes: '10,3' }, { loss: '95' }, { members: '2' }])('refuses %j', async (options) => {
    const [[name, value] = []] = Object.entries(options)
    await expect(gossip.run(options as object)).rejects.toThrow(`--${name}: received "${value}"; accepts `)
  })
})
