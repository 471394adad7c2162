import type { Handler, System } from '../src/simulator.ts'

type Node = 'server' | 'client'
type Message = { do: 'keep' | 'find'; key: string } | 'kept' | 'found' | 'missing'

/**
 * A server that keeps what a client hands it.
 *
 * @param isHasty whether it answers before its disk has the value
 */
export function keeper(isHasty = false): System<Node, string, Message, string> {
  return {
    nodes: ['server', 'client'],
    requestEveryMs: 5,
    mostMs: 5_000,
    mostMessages: 1_000,
    describe: (message) => (typeof message === 'string' ? message : `${message.do} ${message.key}`),

    begin(world) {
      const violations: string[] = []

      /** Runs on the client: whatever was kept must be found. */
      function* keepAndFind(key: string): Handler<Node, Message> {
        yield { do: 'ask', to: 'server', message: { do: 'keep', key }, againMs: 40 }
        const answer = yield { do: 'ask', to: 'server', message: { do: 'find', key }, againMs: 40 }
        if (answer !== 'found') violations.push(`${key} was kept, and is ${answer}`)
      }

      return {
        request: (key) => world.run('client', keepAndFind(key)),

        start(node, disk) {
          // A crash clears the memory; what is on the disk is still there at the next start.
          const memory = new Set(disk.keys())

          function* keep(key: string): Handler<Node, Message, Message> {
            if (!isHasty) yield { do: 'save', key, value: true }
            memory.add(key)
            return 'kept'
          }
          return (message) => {
            if (node !== 'server' || typeof message === 'string') return undefined
            if (message.do === 'keep') return keep(message.key)
            return memory.has(message.key) ? 'found' : 'missing'
          }
        },

        check: () => violations,
      }
    },
  }
}
