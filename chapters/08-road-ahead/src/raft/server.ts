/**
 * A server of a Raft group, after Ongaro and Ousterhout, "In Search of an Understandable Consensus Algorithm" (2014):
 * elections, replication of the log, commitment, and restarts. Left out: changes of the membership, snapshots, and reads
 * that do not go through the log.
 *
 * A server is a set of handlers that yield effects. Whoever performs the effects decides where it runs: the simulator, or
 * a process with sockets and a disk.
 */
import type { Effect, Handler, NodeWorld, Receive } from '@repo/simulator/simulator'
import { type Answer, carryOut } from '../linear/history.ts'
import type { Command, Entry, Message } from './messages.ts'
import type { Mistake } from './mistakes.ts'

type Steps = Handler<string, Message>

/** What all servers of a group have in common. */
export interface ServerSettings {
  servers: readonly string[]
  mistake?: Mistake | undefined
}

export interface ServerOptions extends ServerSettings {
  name: string
  /** When it first stands for election if it hears of no leader; a random time by default. */
  firstMs?: number
  /** How often a leader sends heartbeats. Must be less than the 110 ms that others wait for them. */
  heartbeatMs?: number
  /** The number of entries in one message. */
  mostEntries?: number
  /** For those who watch: called when this server becomes leader, and for each entry that it carries out, with its term then. */
  onLeader?: (term: number, log: readonly Entry[]) => void
  onApply?: (index: number, entry: Entry, term: number) => void
}

/** A server that has not heard of a leader for this time, and up to twice of it, stands for election. */
const electionMs = 110

/** A record on the disk. Of term and vote the last one counts; of the log it replaces what comes after `from` entries. */
interface Saved {
  term: number
  votedFor?: string | undefined
  from: number
  entries: Entry[]
}

/**
 * Starts a server, and returns the handler of its messages.
 *
 * @param disk what it saved before
 */
export function startServer(
  world: NodeWorld<Message>,
  disk: ReadonlyMap<string, unknown>,
  { name, servers, mistake, firstMs, heartbeatMs = 60, mostEntries = 20, onLeader, onApply }: ServerOptions,
): Receive<string, Message> {
  const others = servers.filter((other) => other !== name)
  const majority = mistake === 'half is enough' ? Math.floor(servers.length / 2) : Math.floor(servers.length / 2) + 1
  // These three are on the disk before anything is said about them.
  let term = 0
  let votedFor: string | undefined
  const log: Entry[] = []
  for (const record of disk.values()) {
    const saved: Saved = JSON.parse(String(record))
    term = saved.term
    votedFor = saved.votedFor
    log.splice(saved.from, log.length, ...saved.entries)
  }
  /** How many entries and records are on the disk, or on their way there, and the last record. */
  let kept = log.length
  let records = disk.size
  let lastRecord = ''

  let role: 'follower' | 'candidate' | 'leader' = 'follower'
  let leader: string | undefined
  let votes = new Set<string>()
  /** For a leader: the next entry to send to each server, and the last one that it is known to have. Entries count from 1. */
  let nextIndex = new Map<string, number>()
  let matchIndex = new Map<string, number>()
  let commitIndex = 0
  let applied = 0
  /** The state machine: the registers, and the last command of each client with its result. */
  const registers = new Map<string, string | null>()
  const sessions = new Map<string, { number: number; result: Answer }>()
  let lastHeard = 0

  const send = (to: string, message: Message): Effect<string, Message> => ({ do: 'send', to, message })
  const termAt = (index: number) => log[index - 1]?.term ?? 0
  const cut = (length: number) => {
    log.length = length
    kept = Math.min(kept, length)
  }
  const save = (): Effect<string, Message> => {
    const vote = mistake === 'forgets its vote' ? undefined : votedFor
    const record = JSON.stringify({ term, votedFor: vote, from: kept, entries: log.slice(kept) } satisfies Saved)
    // Nothing new is no new record, but waits for the last one.
    if (record !== lastRecord) records++
    lastRecord = record
    kept = log.length
    return { do: 'save', key: String(records), value: record }
  }

  /** There is a newer term: whatever this server was, it is a follower now. */
  function follow(newTerm: number) {
    if (newTerm > term) {
      term = newTerm
      votedFor = undefined
      leader = undefined
    }
    // As a leader it waited for nobody.
    if (role === 'leader') waitForLeader()
    role = 'follower'
  }

  // Elections

  function waitForLeader(ms = Math.floor(electionMs * (1 + world.random()))) {
    const heard = ++lastHeard
    world.later(name, ms, () => (heard === lastHeard && role !== 'leader' ? stand() : undefined))
  }

  function* stand(): Steps {
    role = 'candidate'
    term++
    votedFor = name
    votes = new Set([name])
    waitForLeader()
    const standsIn = term
    yield save()
    if (term !== standsIn || role !== 'candidate') return
    const ask: Message = { kind: 'ask vote', term, lastIndex: log.length, lastTerm: termAt(log.length) }
    for (const to of others) yield send(to, ask)
    if (votes.size >= majority) yield* lead()
  }

  function* vote(from: string, asked: Message & { kind: 'ask vote' }): Steps {
    // #region vote
    const lastTerm = termAt(log.length)
    const isUpToDate = asked.lastTerm > lastTerm || (asked.lastTerm === lastTerm && asked.lastIndex >= log.length)
    const isFree = votedFor === undefined || votedFor === from
    const isGranted = asked.term === term && isFree && (isUpToDate || mistake === 'votes for old logs')
    // #endregion vote
    if (isGranted) {
      votedFor = from
      waitForLeader()
    }
    const answer: Message = { kind: 'vote', term, isGranted }
    yield save()
    yield send(from, answer)
  }

  function* count(from: string, { term: of, isGranted }: Message & { kind: 'vote' }): Steps {
    if (role !== 'candidate' || of !== term || !isGranted) return
    votes.add(from)
    if (votes.size >= majority) yield* lead()
  }

  function* lead(): Steps {
    role = 'leader'
    leader = name
    nextIndex = new Map(others.map((other) => [other, log.length + 1]))
    matchIndex = new Map(others.map((other) => [other, 0]))
    onLeader?.(term, log)
    const of = term
    world.later(name, heartbeatMs, () => beat(of))
    yield* append(undefined)
  }

  /** Heartbeats are empty: who lacks entries says so in the answer. */
  function* beat(of: number): Steps {
    if (role !== 'leader' || term !== of) return
    world.later(name, heartbeatMs, () => beat(of))
    for (const to of others) yield appendTo(to, 0)
  }

  // The log

  /** A leader writes an entry to its own log first. */
  function* append(command: Command | undefined): Steps {
    const of = term
    log.push({ term, command })
    const index = log.length
    yield save()
    if (role !== 'leader' || term !== of) return
    matchIndex.set(name, Math.max(matchIndex.get(name) ?? 0, index))
    // Who lacks earlier ones gets this one when it has those.
    for (const to of others) if (nextIndex.get(to) === index) yield appendTo(to)
    yield* commit()
  }

  function appendTo(to: string, most = mostEntries): Effect<string, Message> {
    const previousIndex = (nextIndex.get(to) ?? 1) - 1
    const entries = log.slice(previousIndex, previousIndex + most)
    return send(to, { kind: 'append', term, previousIndex, previousTerm: termAt(previousIndex), entries, commitIndex })
  }

  function* accept(from: string, sent: Message & { kind: 'append' }): Steps {
    if (sent.term < term) {
      yield send(from, { kind: 'appended', term, isDone: false, lastIndex: 0 })
      return
    }
    follow(sent.term)
    leader = from
    waitForLeader()
    const { previousIndex, previousTerm, entries } = sent
    const fits =
      previousIndex <= log.length && (mistake === 'does not compare' || termAt(previousIndex) === previousTerm)
    const lastIndex = fits ? previousIndex + entries.length : Math.min(log.length, previousIndex - 1)
    let committed = 0
    if (fits) {
      if (mistake === 'always cuts') cut(previousIndex)
      // A message that comes late must not undo what came after it: cut only where the logs differ.
      const firstNew = entries.findIndex(({ term }, at) => termAt(previousIndex + 1 + at) !== term)
      if (firstNew >= 0) {
        cut(previousIndex + firstNew)
        log.push(...entries.slice(firstNew))
      }
      committed = Math.min(sent.commitIndex, mistake === 'believes the leader' ? log.length : lastIndex)
    }
    const answer: Message = { kind: 'appended', term, isDone: fits, lastIndex }
    if (mistake === 'answers before saving') yield send(from, answer)
    yield save()
    commitIndex = Math.max(commitIndex, committed)
    apply()
    if (mistake !== 'answers before saving') yield send(from, answer)
  }

  function* advance(from: string, { term: of, isDone, lastIndex }: Message & { kind: 'appended' }): Steps {
    if (role !== 'leader' || of !== term) return
    const asked = nextIndex.get(from) ?? 1
    if (isDone) {
      matchIndex.set(from, Math.max(matchIndex.get(from) ?? 0, lastIndex))
      nextIndex.set(from, Math.max(asked, lastIndex + 1))
      yield* commit()
    } else {
      // It lacks entries, or has others.
      nextIndex.set(from, Math.max((matchIndex.get(from) ?? 0) + 1, Math.min(lastIndex + 1, asked - 1)))
    }
    if ((nextIndex.get(from) ?? 1) <= log.length) yield appendTo(from)
  }

  /** What a majority has is committed, if the last of it is of the leader's own term (section 5.4.2 of the paper). */
  function* commit(): Steps {
    // #region commit
    const matches = [...matchIndex.values()].sort((a, b) => b - a)
    const index = matches[majority - 1] ?? 0
    if (index <= commitIndex || (termAt(index) !== term && mistake !== 'counts old terms')) return
    // #endregion commit
    commitIndex = index
    for (const { client, number, result } of apply()) yield send(client, { kind: 'result', number, result })
  }

  /** Carries out what is committed, and returns the results of what had not been carried out before. */
  function apply() {
    const results: { client: string; number: number; result: Answer }[] = []
    while (applied < commitIndex && applied < log.length) {
      const entry = log[applied++]
      onApply?.(applied, entry, term)
      if (entry.command) results.push({ ...entry.command, result: execute(entry.command) })
    }
    return results
  }

  function execute({ client, number, key, does }: Command): Answer {
    const last = sessions.get(client)
    // One that was sent again may stand in the log behind a later one of the same client.
    if (last && last.number >= number && mistake !== 'carries out twice') return last.result
    const { answer: result, value } = carryOut(does, registers.get(key) ?? null)
    registers.set(key, value)
    sessions.set(client, { number, result })
    return result
  }

  // Clients

  function* command(from: string, { command: asked }: Message & { kind: 'command' }): Steps {
    const { client, number, key, does } = asked
    const last = sessions.get(client)
    // What is in the log already is answered when it is committed: to append it again would help nobody who is slow.
    const isInLog = () =>
      log.slice(applied).some((each) => each.command?.client === client && each.command.number === number)
    if (role !== 'leader') yield send(from, { kind: 'not leader', number, leader })
    else if (last?.number === number && mistake !== 'carries out twice')
      yield send(from, { kind: 'result', number, result: last.result })
    else if (mistake === 'reads alone' && 'read' in does)
      yield send(from, { kind: 'result', number, result: { read: registers.get(key) ?? null } })
    else if (mistake === 'carries out twice' || !isInLog()) yield* append(asked)
  }

  waitForLeader(firstMs)
  return (message, from) => {
    if ('term' in message && message.term > term) follow(message.term)
    if (message.kind === 'ask vote') return vote(from, message)
    if (message.kind === 'vote') return count(from, message)
    if (message.kind === 'append') return accept(from, message)
    if (message.kind === 'appended') return advance(from, message)
    if (message.kind === 'command') return command(from, message)
    return undefined
  }
}
