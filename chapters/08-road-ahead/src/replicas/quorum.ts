/**
 * Values kept on several copies, without a leader: a write waits for W of them, a read for R. A copy keeps the newest version
 * that it was told; everything else is up to the client.
 *
 * With versions by counter and repair before the answer, this is the register of Attiya, Bar-Noy and Dolev, "Sharing memory
 * robustly in message-passing systems" (1995), for several writers as in Lynch and Shvartsman (1997). Read repair, hinted
 * hand-off and sloppy quorums are those of DeCandia et al., "Dynamo: Amazon's highly available key-value store" (2007).
 */
import type { Handler, World } from '@repo/simulator/simulator'

/** A version of a value. The higher `at` is newer; among equals, the higher `by`. */
export interface Entry {
  value: string
  at: number
  by: string
}

/** A hint is a put that a keeper holds for a copy, its `home`. */
type Question = { kind: 'get' | 'put' | 'hint'; key: string; entry?: Entry; home?: string }
export type Message = Question | { kind: 'have' | 'kept'; entry?: Entry }
type Steps<Result = void> = Handler<string, Message, Result>

export interface Setting {
  copies: readonly string[]
  /** The node that holds hints. */
  keeper: string
  /** How many copies a write waits for, and a read. */
  w: number
  r: number
  /** `counter`: one more than the newest of R copies, which are asked first. `clock`: the writer's time, so the last one wins. */
  order: 'counter' | 'clock'
  /** When a reader tells the newest version to copies that lack it: after its answer, or before, until W copies have it. */
  repair: 'none' | 'after' | 'before'
  /** Whether a keeper gets a hint for each copy that does not answer a write. A `sloppy` quorum counts it among the W. */
  handOff: 'none' | 'hints' | 'sloppy'
}

/** After this time a node that has not answered is asked again, and the keeper gets a hint for it. */
const againMs = 40
/** After this time a client gives up. */
export const patienceMs = 250
/** How often a keeper tries to hand a hint over. */
const handOffMs = 500

export const isNewer = (a: Entry, b: Entry | undefined): boolean =>
  b === undefined || a.at > b.at || (a.at === b.at && a.by > b.by)

/** Starts a copy, or a keeper of hints, with what is on its disk. */
export function startCopy(
  world: Pick<World<string, Message>, 'run'>,
  name: string,
  disk: ReadonlyMap<string, unknown>,
) {
  /** A hint stands beside the entries. */
  const entries = new Map([...disk].filter(([, entry]) => entry) as [string, Entry][])

  /** What it tells anybody is on its disk. */
  function* answer({ kind, key, entry, home }: Question): Steps<Message> {
    const place = home === undefined ? key : `${key} for ${home}`
    const known = entries.get(place)
    if (entry && isNewer(entry, known)) entries.set(place, entry)
    if (kind === 'hint' && !known) world.run(name, handOver(place))
    const newest = entries.get(place)
    yield { do: 'save', key: place, value: newest }
    return kind === 'get' ? { kind: 'have', entry: newest } : { kind: 'kept' }
  }

  /** Tells a copy what it lacks until it has it. */
  function* handOver(place: string): Steps {
    const [key, to] = place.split(' for ')
    for (let entry = entries.get(place); entry; entry = entries.get(place)) {
      yield { do: 'ask', to, message: { kind: 'put', key, entry }, againMs: handOffMs }
      if (entries.get(place) === entry) entries.delete(place)
    }
    yield { do: 'save', key: place, value: undefined }
  }

  for (const place of entries.keys()) if (place.includes(' for ')) world.run(name, handOver(place))
  return { entries, receive: (message: Message) => ('key' in message ? answer(message) : undefined) }
}

/** Makes a client. Its `read` and `write` return a version, null if there is none, and undefined if too few have answered. */
export function createClient(
  world: Pick<World<string, Message>, 'now' | 'clock' | 'run'>,
  name: string,
  { copies, keeper, w, r, order, repair, handOff }: Setting,
) {
  type Answers = ReadonlyMap<string, Entry | undefined>
  /** No version is used twice, not even one that nobody has kept. */
  let last = Number.NEGATIVE_INFINITY

  /** Asks nodes until `enough` have answered, or it has taken too long. Later answers are added to those returned. */
  function* ask(question: Question, targets: readonly string[], enough: number, ms = patienceMs): Steps<Answers> {
    const answers = new Map<string, Entry | undefined>()
    function* askOnce(target: string): Steps {
      const [to, home] = question.kind === 'hint' ? [keeper, target] : [target]
      const { entry } = yield { do: 'ask', to, message: { ...question, home }, againMs: Number.POSITIVE_INFINITY }
      answers.set(target, entry)
    }
    for (const endMs = world.now + ms; answers.size < enough && world.now < endMs; ) {
      for (const target of targets) if (!answers.has(target)) world.run(name, askOnce(target))
      yield { do: 'wait', ms: Math.min(againMs, endMs - world.now), until: () => answers.size >= enough }
    }
    return answers
  }

  /** Waits a little for all copies to answer, and then tells, or leaves hints for, those that lack something. */
  function* tellLater(question: Question, answers: Answers, isLacking: (copy: string) => boolean): Steps {
    yield { do: 'wait', ms: againMs, until: () => answers.size === copies.length }
    const lacking = copies.filter(isLacking)
    yield* ask(question, lacking, lacking.length)
  }

  const newestOf = (answers: Answers) =>
    [...answers.values()].reduce((best, entry) => (entry && isNewer(entry, best) ? entry : best), undefined)

  return {
    // #region read
    *read(key: string): Steps<Entry | null | undefined> {
      const answers = yield* ask({ kind: 'get', key }, copies, r)
      if (answers.size < r) return undefined
      const entry = newestOf(answers)
      if (entry === undefined) return null
      const put = { kind: 'put', key, entry } as const
      const isStale = (copy: string) => isNewer(entry, answers.get(copy))
      if (repair === 'before') {
        const stale = copies.filter(isStale)
        const enough = w - (copies.length - stale.length)
        const told = yield* ask(put, stale, enough)
        if (told.size < enough) return undefined
      }
      // A copy that answers late may be the one that was away.
      const hasStale = (copy: string) => answers.has(copy) && isStale(copy)
      if (repair === 'after') world.run(name, tellLater(put, answers, hasStale))
      return entry
    },
    // #endregion read

    *write(key: string, value: string): Steps<Entry | undefined> {
      let before = world.clock(name)
      if (order === 'counter') {
        const answers = yield* ask({ kind: 'get', key }, copies, r)
        if (answers.size < r) return undefined
        before = newestOf(answers)?.at ?? 0
      }
      last = Math.max(last, before) + 1
      const entry = { value, at: last, by: name }
      const hint = { kind: 'hint', key, entry } as const
      const kept = yield* ask({ ...hint, kind: 'put' }, copies, w, handOff === 'sloppy' ? againMs : patienceMs)
      const isLacking = (copy: string) => !kept.has(copy)
      let count = kept.size
      if (handOff === 'sloppy' && count < w) count += (yield* ask(hint, copies.filter(isLacking), w - count)).size
      if (handOff !== 'none') world.run(name, tellLater(hint, kept, isLacking))
      return count >= w ? entry : undefined
    },
  }
}

/** Returns what a message says, for a history. `1 (2p)` is the value 1 in the version 2 by p. */
export function describe(message: Message): string {
  const { kind, entry } = message
  const version = entry ? `${entry.value} (${entry.at}${entry.by})` : 'nothing'
  if (!('key' in message)) return kind === 'kept' ? kind : version
  if (kind === 'get') return `${message.key}?`
  return `${message.key} = ${version}${message.home === undefined ? '' : `, for ${message.home}`}`
}
