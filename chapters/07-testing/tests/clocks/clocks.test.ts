/** Clocks: errors stay within their bounds, and logical clocks put causes first. */
import { readFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { runHere } from '@repo/common/testing/run-here'
import { runExample } from '@repo/common/testing/testing'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import clocks from '../../examples/clocks.ts'
import type { ClockEvent } from '../../src/clocks/clocks.ts'
import { judge } from '../../src/clocks/judge.ts'
import { compareHybrid, HybridClock, happenedBefore, LamportClock, VectorClock } from '../../src/clocks/logical.ts'
import { best, cristian, ntp } from '../../src/clocks/sync.ts'

const chapter = fileURLToPath(new URL('../..', import.meta.url))

describe('an estimated offset', () => {
  it('equals what the RFC 5905 formula and a hand calculation give', () => {
    // The other clock is 100 ms ahead; the request took 10 ms, the reply 30 ms, and processing 5 ms.
    const exchange = { sent: 0, receivedThere: 110, sentThere: 115, received: 45 }
    expect(ntp(exchange)).toEqual({ offset: 90, bound: 20 })
    expect(cristian(exchange)).toEqual({ offset: 92.5, bound: 22.5 })
    expect(best([cristian(exchange), ntp(exchange)])).toEqual(ntp(exchange))
  })

  it('is never further from the truth than its bound, however asymmetric the paths', () => {
    const ms = fc.double({ min: 0, max: 1_000, noNaN: true })
    fc.assert(
      fc.property(fc.double({ min: -1e6, max: 1e6, noNaN: true }), ms, ms, ms, (ahead, there, thinking, back) => {
        const receivedThere = there + ahead
        const exchange = {
          sent: 0,
          receivedThere,
          sentThere: receivedThere + thinking,
          received: there + thinking + back,
        }
        for (const { offset, bound } of [cristian(exchange), ntp(exchange)]) {
          expect(Math.abs(offset - ahead)).toBeLessThanOrEqual(bound + 1e-6)
        }
        expect(ntp(exchange).bound).toBeLessThanOrEqual(cristian(exchange).bound + 1e-6)
      }),
    )
  })
})

/** Events of three processes with any wall clocks: each step sends a message, or receives one that is under way. */
const steps = fc.array(
  fc.record({ process: fc.nat(2), receives: fc.boolean(), wall: fc.integer({ min: 1, max: 1_000 }) }),
  {
    maxLength: 40,
  },
)

function play(script: { process: number; receives: boolean; wall: number }[]): ClockEvent[] {
  let wall = 0
  const clocks = [0, 1, 2].map((self) => ({
    lamport: new LamportClock(),
    vector: new VectorClock(self, 3),
    hybrid: new HybridClock(() => wall),
  }))
  const events: ClockEvent[] = []
  for (const [at, { process, receives, wall: says }] of script.entries()) {
    wall = says
    const clock = clocks[process]
    if (!clock) continue
    const taken = new Set(events.flatMap(({ what, message }) => (what === 'receive' ? [message] : [])))
    const from = receives
      ? events.find((event) => event.what === 'send' && event.process !== process && !taken.has(event.message))
      : undefined
    events.push({
      process,
      what: from ? 'receive' : 'send',
      message: from?.message ?? String(at),
      trueMs: at,
      wall,
      lamport: from ? clock.lamport.receive(from.lamport) : clock.lamport.tick(),
      vector: from ? clock.vector.receive(from.vector) : clock.vector.tick(),
      hybrid: from ? clock.hybrid.receive(from.hybrid) : clock.hybrid.tick(),
    })
  }
  return events
}

/** Finds what could have caused each event without any clock, by following processes and messages. */
function causesOf(events: ClockEvent[]): Set<ClockEvent>[] {
  const causes: Set<ClockEvent>[] = []
  for (const [at, event] of events.entries()) {
    const mine = new Set<ClockEvent>()
    for (const [before, earlier] of events.slice(0, at).entries()) {
      const isDirect =
        earlier.process === event.process ||
        (event.what === 'receive' && earlier.what === 'send' && earlier.message === event.message)
      if (isDirect) for (const cause of [earlier, ...(causes[before] ?? [])]) mine.add(cause)
    }
    causes.push(mine)
  }
  return causes
}

describe('logical clocks', () => {
  it('put every cause before its effect, whatever the wall clocks say; vector clocks order nothing else', () => {
    fc.assert(
      fc.property(steps, (script) => {
        const events = play(script)
        for (const [at, causes] of causesOf(events).entries()) {
          const effect = events[at] as ClockEvent
          for (const other of events) {
            if (other === effect) continue
            expect(happenedBefore(other.vector, effect.vector)).toBe(causes.has(other))
            if (!causes.has(other)) continue
            expect(other.lamport).toBeLessThan(effect.lamport)
            expect(compareHybrid(other.hybrid, effect.hybrid)).toBeLessThan(0)
          }
        }
      }),
    )
  })

  it('when hybrid, only show times that a wall clock has shown', () => {
    fc.assert(
      fc.property(steps, (script) => {
        const said = new Set(script.map(({ wall }) => wall))
        for (const { hybrid } of play(script)) expect(said).toContain(hybrid.ms)
      }),
    )
  })

  it('when hybrid, show whole ms, never go back, and count where the time stands still', () => {
    let wall = 10.9
    const clock = new HybridClock(() => wall)
    expect(clock.tick()).toEqual({ ms: 10, count: 0 })
    wall = 10.95
    expect(clock.tick()).toEqual({ ms: 10, count: 1 })
    // Set back: the latest time that was heard of counts.
    wall = 3
    expect(clock.tick()).toEqual({ ms: 10, count: 2 })
    expect(clock.receive({ ms: 10, count: 7 })).toEqual({ ms: 10, count: 8 })
    expect(clock.receive({ ms: 12, count: 4 })).toEqual({ ms: 12, count: 5 })
    expect(clock.receive({ ms: 11, count: 9 })).toEqual({ ms: 12, count: 6 })
    wall = 13.5
    expect(clock.receive({ ms: 12, count: 9 })).toEqual({ ms: 13, count: 0 })
  })

  it('are judged: a message received before it was sent, and an order that was made up', async () => {
    const script = [
      { process: 0, receives: false, wall: 500 },
      { process: 1, receives: true, wall: 100 },
      { process: 2, receives: false, wall: 300 },
    ]
    const { verdicts, messages, concurrent, impossible } = await judge(play(script), [0, 450, 0])
    expect({ messages, concurrent, impossible }).toEqual({ messages: 1, concurrent: 2, impossible: new Set(['0']) })
    const numbers = verdicts.map(({ clock, causesAfterEffects, receivedBeforeSent, madeUp }) => [
      clock,
      causesAfterEffects,
      receivedBeforeSent,
      madeUp,
    ])
    expect(numbers).toEqual([
      ['wall clock', 1, 1, 2],
      ['wall clock, corrected', 0, 0, 2],
      // The first events of two processes have the same number, so it does not order them.
      ['Lamport', 0, 0, 1],
      ['vector', 0, 0, 0],
      ['hybrid', 0, 0, 2],
    ])
  })
})

describe('clocks', () => {
  it('shows what wrong clocks do, with a picture, and leaves nothing behind', async () => {
    const run = await runExample(chapter, 'clocks', ['--quick', '--json', '--seed', '5', '--skew', '500'])
    expect(run, run.stderr).toMatchObject({ code: 0 })
    type Verdict = { clock: string; causesAfterEffects: number; receivedBeforeSent: number }
    const result = run.json<{
      messages: number
      exchanges: number
      withinBound: number
      verdicts: Verdict[]
      picture: string
    }>()
    expect(result).toMatchObject({ seed: 5, exchanges: 30, withinBound: 30 })
    expect(result.messages).toBeGreaterThan(40)
    const of = (name: string) => result.verdicts.find(({ clock }) => clock === name)
    expect(of('wall clock')?.receivedBeforeSent).toBeGreaterThan(0)
    for (const name of ['Lamport', 'vector', 'hybrid']) {
      expect(of(name)).toMatchObject({ causesAfterEffects: 0, receivedBeforeSent: 0 })
    }
    expect(await readFile(result.picture, 'utf8')).toContain('process 3')
    expect(await run.leftBehind()).toEqual([])
  })

  it('ends on Ctrl-C and leaves nothing behind', async () => {
    const run = await runExample(chapter, 'clocks', ['--messages', '500', '--delay', '500'], {
      interruptWhen: /whose clocks are wrong/,
    })
    expect(run).toMatchObject({ code: 130, stdout: expect.not.stringContaining('Lamport') })
    expect(await run.leftBehind()).toEqual([])
  })

  it('prints its help', async () => {
    expect((await runHere(clocks, '--help')).stdout).toMatch(/--drift/)
  })

  it.each([{ processes: '1' }, { skew: '-3' }, { seed: 'x' }, { delay: '0' }])('refuses %j', async (options) => {
    const [[name, value] = []] = Object.entries(options)
    await expect(clocks.run(options as object)).rejects.toThrow(`--${name}: received "${value}"; accepts `)
  })
})
