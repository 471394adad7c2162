/**
 * Values kept on several copies, without a leader: a write waits for W of them, a read for R. A copy keeps the newest version
 * that it was told; everything else is up to the client.
 *
 * With versions by counter and repair before the answer, this is the register of Attiya, Bar-Noy and Dolev, "Sharing memory
 * robustly in message-passing systems" (1995), for several writers as in Lynch and Shvartsman (1997). Read repair, hinted
 * hand-off and sloppy quorums are those of DeCandia et al., "Dynamo: Amazon's highly available key-value store" (2007).
 */
import type { Effect, Receive, World } from '@repo/simulator/simulator'

/** A version of a value. The higher `at` is newer; among equals, the higher `by`. */
export interface Entry {
  value: string
  at: number
  by: string
}

/** What is asked about a key, or answered. With a `home` it is about a hint, which a keeper holds for that copy. */
export type Message = { number: number; home?: string | undefined } & (
  | { kind: 'get'; key: string }
  | { kind: 'put'; key: string; entry: Entry }
  | { kind: 'have'; entry: Entry | undefined }
  | { kind: 'kept'; key: string; entry: Entry }
)

type Steps<Result = void> = Generator<Effect<string, Message>, Result, Message>

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

/** After this time who has not answered is asked again, and others get a hint for it. */
const againMs = 40
/** After this time a client gives up. */
export const patienceMs = 250
/** How often a keeper tries to hand a hint over. */
const handOffMs = 500

export const isNewer = (a: Entry, b: Entry | undefined): boolean =>
  b === undefined || a.at > b.at || (a.at === b.at && a.by > b.by)

/** Starts a copy, or a keeper of hints. `entries` are those on its disk. */
export function startCopy(
  world: Pick<World<string, Message>, 'run'>,
  name: string,
  disk: ReadonlyMap<string, unknown>,
): { receive: Receive<string, Message>; entries: ReadonlyMap<string, Entry> } {
  const entries = new Map([...disk].filter(([, entry]) => entry !== undefined) as [string, Entry][])
  /** What is on the disk, or on its way there. A hint stands beside the entries. */
  const newest = new Map(entries)
  const hintFor = (key: string, home: string) => `${key} for ${home}`

  function* get(from: string, { number, key }: Message & { kind: 'get' }): Steps {
    yield { do: 'send', to: from, message: { kind: 'have', number, entry: entries.get(key) } }
  }

  function* put(from: string, { number, key, entry, home }: Message & { kind: 'put' }): Steps {
    const place = home === undefined ? key : hintFor(key, home)
    const known = newest.get(place)
    if (isNewer(entry, known)) newest.set(place, entry)
    if (home !== undefined && known === undefined) world.run(name, handOff(place))
    // Also if it has a newer one: that may not be on the disk yet.
    const kept = newest.get(place) ?? entry
    yield { do: 'save', key: place, value: kept }
    entries.set(place, kept)
    yield { do: 'send', to: from, message: { kind: 'kept', number, key, entry: kept, home } }
  }

  /** Tells a copy what it lacks until it has it. */
  function* handOff(place: string): Steps {
    const [key = '', home = ''] = place.split(' for ')
    for (let entry = newest.get(place); entry; entry = newest.get(place)) {
      yield { do: 'send', to: home, message: { kind: 'put', number: 0, key, entry } }
      yield { do: 'wait', ms: handOffMs, until: () => newest.get(place) !== entry }
    }
    yield { do: 'save', key: place, value: undefined }
  }

  for (const place of entries.keys()) if (place.includes(' for ')) world.run(name, handOff(place))
  return {
    entries,
    receive(message, from) {
      if (message.kind === 'put') return put(from, message)
      if (message.kind === 'get') return get(from, message)
      if (message.kind === 'have') return undefined
      const place = hintFor(message.key, from)
      const hint = newest.get(place)
      if (hint && !isNewer(hint, message.entry)) newest.delete(place)
      return undefined
    },
  }
}

/** Gets the version that was read or written; null if there is none, undefined if too few have answered. */
type OnEnd = (entry: Entry | null | undefined) => void

/** Makes a client. Its `read` and `write` are handlers, which go on repairing after they have called `onEnd`. */
export function createClient(
  world: Pick<World<string, Message>, 'now' | 'clock' | 'later'>,
  name: string,
  { copies, keeper, w, r, order, repair, handOff }: Setting,
) {
  type Answers = Map<string, Entry | undefined>
  const all = copies.map((to) => ({ to }))
  /** The answers to each question, by copy. */
  const questions = new Map<number, Answers>()
  let number = 0
  /** No version is used twice, not even one that nobody has kept. */
  let last = Number.NEGATIVE_INFINITY

  /** Asks nodes until `enough` have answered, or it has taken too long. Later answers are added to those returned. */
  function* ask(
    question: { kind: 'get'; key: string } | { kind: 'put'; key: string; entry: Entry },
    targets: readonly { to: string; home?: string }[],
    { enough, ms = patienceMs }: { enough: number; ms?: number },
  ): Steps<Answers> {
    const own = ++number
    const answers: Answers = new Map()
    questions.set(own, answers)
    world.later(name, 2 * patienceMs, () => void questions.delete(own))
    for (const endMs = world.now + ms; answers.size < enough && world.now < endMs; ) {
      for (const { to, home } of targets) {
        if (!answers.has(home ?? to)) yield { do: 'send', to, message: { ...question, number: own, home } }
      }
      yield { do: 'wait', ms: Math.min(againMs, endMs - world.now), until: () => answers.size >= enough }
    }
    return answers
  }

  const newestOf = (answers: Answers) =>
    [...answers.values()].reduce((best, entry) => (entry && isNewer(entry, best) ? entry : best), undefined)

  return {
    // #region read
    *read(key: string, onEnd: OnEnd): Steps {
      const answers = yield* ask({ kind: 'get', key }, all, { enough: r })
      if (answers.size < r) return onEnd(undefined)
      const entry = newestOf(answers)
      if (entry === undefined) return onEnd(null)
      const put = { kind: 'put', key, entry } as const
      if (repair === 'before') {
        const lacking = all.filter(({ to }) => isNewer(entry, answers.get(to)))
        const enough = w - (copies.length - lacking.length)
        const told = yield* ask(put, lacking, { enough })
        if (told.size < enough) return onEnd(undefined)
      }
      onEnd(entry)
      if (repair !== 'after') return
      // A copy that answers late may be the one that was away.
      yield { do: 'wait', ms: againMs, until: () => answers.size === copies.length }
      const stale = all.filter(({ to }) => answers.has(to) && isNewer(entry, answers.get(to)))
      yield* ask(put, stale, { enough: stale.length })
    },
    // #endregion read

    *write(key: string, value: string, onEnd: OnEnd): Steps {
      let before = world.clock(name)
      if (order === 'counter') {
        const answers = yield* ask({ kind: 'get', key }, all, { enough: r })
        if (answers.size < r) return onEnd(undefined)
        before = newestOf(answers)?.at ?? 0
      }
      last = Math.max(last, before) + 1
      const entry = { value, at: last, by: name }
      const put = { kind: 'put', key, entry } as const
      const kept = yield* ask(put, all, { enough: w, ms: handOff === 'sloppy' ? againMs : patienceMs })
      const hints = () => copies.filter((home) => !kept.has(home)).map((home) => ({ to: keeper, home }))
      let lacking = w - kept.size
      if (handOff === 'sloppy' && lacking > 0) lacking -= (yield* ask(put, hints(), { enough: lacking })).size
      onEnd(lacking <= 0 ? entry : undefined)
      if (handOff === 'none') return
      yield { do: 'wait', ms: againMs, until: () => kept.size === copies.length }
      const missing = hints()
      yield* ask(put, missing, { enough: missing.length })
    },

    receive(message: Message, from: string): undefined {
      const { number, home = from } = message
      questions.get(number)?.set(home, message.kind === 'have' ? message.entry : undefined)
    },
  }
}

/** Returns what a message says, for a history. `1 (2p)` is the value 1 in the version 2 by p. */
export function describe(message: Message): string {
  if (message.kind === 'get') return `${message.key}?`
  if (message.kind === 'kept') return 'kept'
  const { entry } = message
  const version = entry ? `${entry.value} (${entry.at}${entry.by})` : 'nothing'
  if (message.kind === 'have') return version
  return `${message.key} = ${version}${message.home === undefined ? '' : `, for ${message.home}`}`
}
