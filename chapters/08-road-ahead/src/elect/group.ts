/** A store that gives leases and three candidates in the simulator: no two may lead at the same time. */
import { scenarios } from '@repo/simulator/search'
import { type System, timedFates } from '@repo/simulator/simulator'
import fc from 'fast-check'
import { describe, type Message } from '../lease/lease.ts'
import { startLeaseServer } from '../lease/server.ts'
import { type Mistake, stand } from './candidate.ts'

const candidates = ['a', 'b', 'c'] as const
type Candidate = (typeof candidates)[number]
export const nodes = ['store', ...candidates]

const leaseMs = 100
const everyMs = 40
/** A clock gains or loses up to 100 ms a second. So two of them differ by less than twice as much. */
const most = 100
const allowed = (2 * most) / 1_000

/** The group for the simulator. A request is a candidate that begins to stand. */
export function electGroup(mistake?: Mistake): System<string, Candidate, Message, string> {
  return {
    nodes,
    requestEveryMs: 5,
    mostMs: 700,
    mostMessages: 1_000,
    describe,
    begin(world) {
      const violations: string[] = []
      const standing = new Set<string>()
      /** Until when each leads, by its own clock. */
      const until = new Map<string, number>()
      const leads = (name: string) => world.clock(name) < (until.get(name) ?? Number.NEGATIVE_INFINITY)

      const begin = (name: string) => {
        const clock = () => world.clock(name)
        function onAnswer(untilMs: number) {
          until.set(name, untilMs)
          if (!leads(name)) return
          const other = candidates.find((each) => each !== name && leads(each))
          if (!other || violations.length > 0) return
          violations.push(`${other} and ${name} both lead`)
          world.stop()
        }
        world.run(name, stand({ name, leaseMs, everyMs, drift: allowed, clock, mistake, onAnswer }))
      }

      return {
        request(name) {
          if (!standing.has(name)) begin(name)
          standing.add(name)
        },
        start(name, disk) {
          if (name === 'store') return startLeaseServer(disk, { clock: () => world.clock(name) })
          // What it believed before a crash is gone.
          until.delete(name)
          if (standing.has(name)) begin(name)
          return () => undefined
        },
        check: () => violations,
      }
    },
  }
}

const ms = fc.integer({ min: 1, max: 300 })
const drift = fc.oneof(fc.constantFrom(-most, most), fc.integer({ min: -most, max: most }))
const node = fc.nat(nodes.length - 1)
const strikes = fc.oneof(
  fc.record({ node, fate: fc.constantFrom('pause', 'partition', 'deaf', 'mute'), atMs: fc.nat(400), ms }),
  // Only the store crashes: a candidate that does takes nobody for the leader.
  fc.record({ node: fc.constant(0), fate: fc.constantFrom(...timedFates), atMs: fc.nat(400), ms }),
  fc.record({ node, fate: fc.constant('drift'), atMs: fc.nat(50), ms: drift }),
)

/** Up to three candidates, faults of most kinds, and clocks that run too fast or too slow within the bound. */
export const electScenarios = scenarios({
  requests: fc.array(fc.constantFrom(...candidates), { minLength: 1, maxLength: 3 }),
  nodes: nodes.length,
  messages: 40,
  withinMs: 400,
  strikes,
})
