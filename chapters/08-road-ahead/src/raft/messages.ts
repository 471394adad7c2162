/** What the servers and clients of a Raft group say to each other, and what a server keeps. */
import { type Action, type Answer, actionText } from '../linear/history.ts'

/** What a client asks for. The store is a map of registers. */
export interface Command {
  /** The client and the number of its request: the same one is never carried out twice. */
  client: string
  number: number
  key: string
  does: Action
}

/** An entry of the log. A new leader writes one without a command, so that it learns which earlier ones are committed. */
export interface Entry {
  term: number
  command: Command | undefined
}

export type Message =
  | { kind: 'ask vote'; term: number; lastIndex: number; lastTerm: number }
  | { kind: 'vote'; term: number; isGranted: boolean }
  | {
      kind: 'append'
      term: number
      previousIndex: number
      previousTerm: number
      entries: readonly Entry[]
      commitIndex: number
    }
  | { kind: 'appended'; term: number; isDone: boolean; lastIndex: number }
  | { kind: 'command'; command: Command }
  | { kind: 'result'; number: number; result: Answer }
  | { kind: 'not leader'; number: number; leader: string | undefined }

/** Returns what a message says, for a history. `3@2` is entry 3, of term 2. */
export function describe(message: Message): string {
  if (message.kind === 'ask vote')
    return `vote for me in term ${message.term}? log to ${message.lastIndex}@${message.lastTerm}`
  if (message.kind === 'vote') return `${message.isGranted ? 'my vote' : 'no'} (term ${message.term})`
  if (message.kind === 'append') {
    const { term, previousIndex, previousTerm, entries, commitIndex } = message
    const texts = entries.map(({ term, command }, at) => {
      return `${previousIndex + 1 + at}@${term} ${command ? actionText(command) : 'nothing'}`
    })
    return `${texts.join(', ') || 'heartbeat'} after ${previousIndex}@${previousTerm} (term ${term}, committed to ${commitIndex})`
  }
  if (message.kind === 'appended')
    return `${message.isDone ? `have all to ${message.lastIndex}` : 'does not fit'} (term ${message.term})`
  if (message.kind === 'command') return actionText(message.command)
  if (message.kind === 'not leader') return `ask ${message.leader ?? 'somebody else'}`
  if ('read' in message.result) return `it is ${message.result.read ?? 'nothing'}`
  return message.result.isDone ? 'done' : 'refused'
}
