/** A group of members in the simulator, of which some fail while messages are lost: who is called dead, and when. */
import { randomFrom } from '@repo/common/async/random'
import { type Scenario, type System, simulate } from '@repo/simulator/simulator'
import { type Message, startMember } from './swim.ts'

export interface TrialOptions {
  members: number
  /** How many of them fail, one after the other. */
  crashes: number
  periods: number
  /** The share of messages that are lost. */
  loss: number
  /** How many periods a suspect may contradict; 0 for none. */
  suspicion: number
  /** How many others are asked to ping for a member. */
  helpers: number
  seed: number
}

const periodMs = 1_000

/**
 * Runs a trial. The same options give the same result. A crash that nobody found has Infinity: without suspicion, the
 * member may have been called dead before it crashed.
 */
export function trial({ members, crashes, periods, loss, suspicion, helpers, seed }: TrialOptions) {
  const names = Array.from({ length: members }, (_, at) => `m${at}`)
  const random = randomFrom(seed)
  const seen = Array.from({ length: crashes }, (_, at) => ({
    // In the second half, and soon enough for the last one to be found.
    crashMs: periodMs * periods * (0.4 + (0.4 * at) / crashes),
    foundMs: Number.POSITIVE_INFINITY,
    heardMs: new Map<string, number>(),
  }))
  /** By member and incarnation: with suspicion, several members may end their waiting for the same mistake. */
  const falseAlarms = new Set<string>()
  const mostMs = periods * periodMs
  const mostMessages = 8 * members * periods
  const system: System<string, never, Message, never> = {
    nodes: names,
    mostMs,
    mostMessages,
    describe: ({ kind }) => kind,
    begin: (world) => ({
      start(name, _disk, own) {
        return startMember(own, {
          name,
          members: names,
          periodMs,
          answerMs: 0.3 * periodMs,
          helpers,
          suspicionMs: suspicion * periodMs,
          onDead({ member, incarnation }, byItself) {
            const crash = seen[names.indexOf(member)]
            const sinceMs = world.now - (crash?.crashMs ?? Number.POSITIVE_INFINITY)
            if (sinceMs >= 0) {
              crash.foundMs = Math.min(crash.foundMs, sinceMs)
              crash.heardMs.set(name, sinceMs)
            } else if (byItself) falseAlarms.add(`${member} ${incarnation}`)
          },
        })
      },
    }),
  }
  const lost: Scenario<never>['messages'] = []
  for (let number = 1; number <= mostMessages; number++) if (random() < loss) lost.push({ number, fate: 'lost', ms: 1 })
  const { messages } = simulate(system, {
    requests: [],
    jitter: 1 + Math.floor(random() * 2 ** 30),
    messages: lost,
    nodes: seen.map(({ crashMs }, node) => ({ node, fate: 'crash', atMs: crashMs, ms: 2 * mostMs })),
  })
  return {
    /** For each crash, how many periods went by until the first found it, and until all had heard. */
    crashes: seen.map(({ foundMs, heardMs }) => {
      const times = names.slice(crashes).map((name) => heardMs.get(name) ?? Number.POSITIVE_INFINITY)
      return { found: foundMs / periodMs, known: Math.max(...times) / periodMs }
    }),
    /** How often a member that was up was called dead. */
    falseAlarms: falseAlarms.size,
    /** In a period, by one member. */
    messages: messages / members / periods,
  }
}
