/** A client of a Raft group: it asks one server after the other until its command was carried out. */
import type { Handler, NodeWorld } from '@repo/simulator/simulator'
import type { Action, Answer, Operation } from '../linear/history.ts'
import type { Message } from './messages.ts'

export interface ClientOptions {
  name: string
  /** It begins with the first one. */
  servers: readonly string[]
  /** Gets its requests as operations. */
  history: Operation[]
  /** After this time without an answer it asks the next server; 120 ms by default. */
  patienceMs?: number
}

/** While there is no leader, it waits this long before it asks again. */
const pauseMs = 90

/** Starts a client. Its requests are carried out one after the other. */
export function startClient(world: NodeWorld<Message>, { name, servers, history, patienceMs = 120 }: ClientOptions) {
  /** The first one is under way. */
  const requests: { key: string; does: Action; onAnswer: (answer: Answer) => void }[] = []
  let number = 0
  let server = servers[0]
  let answers: (Message & { kind: 'result' | 'not leader' })[] = []

  function* work(): Handler<string, Message> {
    for (; requests.length > 0; requests.shift()) {
      const { key, does, onAnswer } = requests[0]
      const command = { client: name, number: ++number, key, does }
      const operation: Operation = { client: name, key, does, beginMs: world.now }
      history.push(operation)
      while (operation.ended === undefined) {
        answers = []
        yield { do: 'send', to: server, message: { kind: 'command', command } }
        yield { do: 'wait', ms: patienceMs, until: () => answers.length > 0 }
        const answer = answers.at(-1)
        if (answer?.kind === 'result') {
          operation.ended = { atMs: world.now, ...answer.result }
          onAnswer(answer.result)
        } else {
          server = answer?.leader ?? servers[(servers.indexOf(server) + 1) % servers.length]
          if (answer && answer.leader === undefined) yield { do: 'wait', ms: pauseMs }
        }
      }
    }
  }

  return {
    request(key: string, does: Action, onAnswer: (answer: Answer) => void): void {
      requests.push({ key, does, onAnswer })
      if (requests.length === 1) world.run(name, work())
    },
    receive(message: Message): undefined {
      // What belongs to an earlier request comes too late.
      if ('number' in message && message.number === number) answers.push(message)
    },
    /** Whether some request was not answered yet. */
    get isBusy() {
      return requests.length > 0
    },
  }
}
