/**
 * Spreads a rumour: once in each round, every node calls another one at random, and one of the two tells the other.
 * Source: Demers et al., "Epidemic algorithms for replicated database maintenance" (1987), anti-entropy.
 */
import { calm, type Handler, type System, simulate } from '@repo/simulator/simulator'

/** Who tells in a call: the caller, the one who is called, or whichever of them knows. */
export const ways = ['push', 'pull', 'push–pull'] as const
export type Way = (typeof ways)[number]

/** A call or its answer, and whether its sender knows the rumour. */
interface Message {
  kind: 'call' | 'answer'
  knows: boolean
}

const roundMs = 1_000

/**
 * Simulates a rumour that one of the nodes knows at the beginning. Returns what it took until every node knew: the time in
 * rounds, and the messages, of which some carried the rumour.
 *
 * @throws a RangeError if there are fewer than two nodes
 */
export function spread({ nodes: size, way, seed }: { nodes: number; way: Way; seed: number }) {
  if (size < 2) throw new RangeError(`nodes: received ${size}; accepts 2 and more`)
  const nodes = Array.from({ length: size }, (_, at) => `n${at}`)
  let known = 1
  let carrying = 0
  let endMs = 0
  const system: System<string, never, Message, never> = {
    nodes,
    describe: ({ kind }) => kind,
    begin: (world) => ({
      start(name) {
        let knows = name === 'n0'
        // #region rounds
        function* rounds(): Handler<string, Message> {
          const own = nodes.indexOf(name)
          // Nobody's clocks agree.
          yield { do: 'wait', ms: world.random() * roundMs }
          for (;;) {
            const others = 1 + Math.floor((nodes.length - 1) * world.random())
            const to = nodes[(own + others) % nodes.length]
            const isCalling = way === 'push–pull' || knows === (way === 'push')
            if (isCalling) yield { do: 'send', to, message: { kind: 'call', knows } }
            yield { do: 'wait', ms: roundMs }
          }
        }
        function* answer(to: string): Handler<string, Message> {
          yield { do: 'send', to, message: { kind: 'answer', knows } }
        }
        // #endregion rounds
        world.run(name, rounds())
        return (message, from) => {
          if (!message.knows) return message.kind === 'call' && knows ? answer(from) : undefined
          carrying++
          if (!knows && ++known === size) {
            endMs = world.now
            world.stop()
          }
          knows = true
          return undefined
        }
      },
    }),
  }
  // A jitter of 0 would make all messages take the same time.
  const { messages } = simulate(system, { ...calm, jitter: seed + 1 })
  return { rounds: endMs / roundMs, messages, carrying }
}
