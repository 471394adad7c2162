/**
 * A distributed system on simulated nodes, with a simulated network and a virtual clock: no process, no socket, no
 * waiting.
 *
 * The system under test consists of handlers, which are generators. A handler yields an effect, is handed the answer,
 * and continues. The simulator performs the effects, and decides what goes wrong between two of them: a message is
 * lost, duplicated or late, a node crashes or is cut off, a clock is wrong. When a node crashes, its handlers stop and
 * never resume.
 *
 * Time jumps to the next event. Nothing here asks the machine for the time or for a random number, so the same scenario
 * has the same history, byte for byte.
 */
import { randomFrom } from '@repo/common/async/random'

/** What a handler yields. */
export type Effect<Node, Message> =
  /** Sends a message, and sends it again every `againMs` until it is answered. Yields the answer. */
  | { do: 'ask'; to: Node; message: Message; againMs: number }
  /** Sends a message once. The handler continues immediately, and does not learn whether the message arrives. */
  | { do: 'send'; to: Node; message: Message }
  /** Waits for `ms`, or until the condition holds, which is checked after everything that happens on this node. */
  | { do: 'wait'; ms: number; until?: () => boolean }
  /**
   * Writes a value to the node's disk, which takes 1 ms, and with it all that is in the cache. If the node crashes
   * before that, the old value stays.
   */
  | { do: 'save'; key: string; value: unknown }
  /** Writes a value to the cache of the node's disk, which takes no time: a crash keeps it, a power cut does not. */
  | { do: 'cache'; key: string; value: unknown }

/** What runs on a node. */
export type Handler<Node, Message, Result = void> = Generator<Effect<Node, Message>, Result, Message>

/** The system under test. */
export interface System<Node extends string, Request, Message, Violation> {
  nodes: readonly Node[]
  /** The time between two requests; 1 ms by default. */
  requestEveryMs?: number
  /** A run that does not end by itself is stopped at this time, or after this number of messages; never by default. */
  mostMs?: number
  mostMessages?: number
  /** Makes the system for one run. */
  begin: (world: World<Node, Message, Violation>) => Running<Node, Request, Message, Violation>
  /** Returns what a message says, for the history. Nodes share messages: do not change one after it was sent. */
  describe: (message: Message) => string
}

/** The system in one run. */
export interface Running<Node extends string, Request, Message, Violation> {
  /** A client asks for something. */
  request?: (request: Request) => void
  /**
   * Starts a node, at the beginning and after each crash, and returns the handler of its messages. The variables of
   * this call are the node's memory: after a crash, another call creates new ones.
   *
   * @param disk a copy of what the node has saved
   * @param world whose timers belong to the node's memory: after a crash they do nothing
   */
  start: (node: Node, disk: ReadonlyMap<string, unknown>, world: NodeWorld<Message, Node>) => Receive<Node, Message>
  /**
   * Called when a crash is over and clients can reach the node again. If a second crash strikes a node that is down,
   * the node starts once, and this is still called at the end of each crash at which the node is up.
   */
  back?: (node: Node) => void
  /** Returns the violations at the end of a run in which none was reported: what should hold, but does not. */
  check?: () => Violation[]
}

/**
 * Handles a message. It returns the answer, or a handler whose result is the answer, or undefined when there is nothing
 * to do. The answer to a message that was sent with `send` is dropped.
 */
export type Receive<Node, Message> = (
  message: Message,
  from: Node,
) => Message | Handler<Node, Message, Message> | Handler<Node, Message> | undefined

/** What the system can do besides yielding effects. */
export interface World<Node, Message, Violation = never> {
  /** The true virtual time in ms, for clients and checks. Nodes only have `clock`. */
  readonly now: number
  /** Returns the time in ms by a node's wall clock. */
  clock: (node: Node) => number
  /** Returns a random number from 0 up to, but not including, 1. Each run of a scenario gets the same numbers. */
  random: () => number
  /** Runs a handler on a node, alongside those that already run there. Does nothing while the node is down. */
  run: (node: Node, handler: Handler<Node, Message>) => void
  /** Runs a handler on a node after `ms`. The timer survives crashes, and waits while the node is down. */
  later: (node: Node, ms: number, handler: () => Handler<Node, Message> | undefined) => void
  /** Tells that something of note happens on a node, such as that it now leads: faults of a scenario may follow. */
  mark: (node: Node) => void
  /** Reports what should hold, but does not. The first violation is the one of the run, which ends. */
  report: (violation: Violation) => void
  /** Ends the run. */
  stop: () => void
}

/** What handlers may use where they also run for real (node.ts). */
export type NodeWorld<Message, Node = string> = Pick<World<Node, Message>, 'now' | 'random' | 'run' | 'later'>

/** Everything that a run depends on. */
export interface Scenario<Request> {
  requests: Request[]
  /** The seed for the times that messages take, 1 to 8 ms each; with 0 each takes 1 ms. */
  jitter: number
  /**
   * The seed for lasting differences instead of jitter: some ways from one node to another are slow throughout, and two
   * become slow in between, as in probabilistic concurrency testing. That finds what needs one message to be later than
   * several others in turn, which jitter makes unlikely. With 0, or without it, there are none.
   */
  paces?: number
  /** What happens to individual messages, by their number in the order of sending, from 1. */
  messages: { number: number; fate: 'lost' | 'doubled' | 'late'; ms: number }[]
  /** What happens to nodes, by their index. */
  nodes: Strike[]
  /**
   * What happens to a node after something of note happened on it: the number of the mark in the run, from 1, and the time
   * from then on. A fault that must strike whoever leads next would hit by chance only.
   */
  marks?: { number: number; fate: (typeof timedFates)[number] | 'pause'; afterMs: number; ms: number }[]
}

/** Nothing happens: no request, no fault, and each message takes 1 ms. */
export const calm: Scenario<never> = { requests: [], jitter: 0, messages: [], nodes: [] }

/**
 * What happens to a node, and when. `ms` is how long it lasts; for `clock`, how wrong the clock is from then on, and for
 * `drift`, how much it gains in each second.
 *
 * - `crash`: the node stops and forgets. `power cut`: it also loses what was only in the cache of its disk.
 * - `partition`: it neither sends nor receives. `deaf`: it receives nothing. `mute`: nothing that it sends arrives.
 * - `slow disk`: a save takes 20 ms instead of 1.
 * - `pause`: its handlers stand still, as while memory is tidied up or a laptop sleeps; its clock does not. What happens
 *   meanwhile, such as the arrival of a message, is handled afterwards.
 * - `crash after`: it crashes when its handlers have yielded this number of effects since the beginning, before the next
 *   one.
 */
export type Strike =
  | { node: number; fate: (typeof timedFates)[number] | 'pause' | 'clock' | 'drift'; atMs: number; ms: number }
  | { node: number; fate: 'crash after'; effects: number; ms: number }

/** The fates of nodes that last for a while. */
export const timedFates = ['crash', 'power cut', 'partition', 'deaf', 'mute', 'slow disk'] as const

/** A message in a history. */
export interface Sent {
  kind: 'message'
  /** In the order of sending, from 1: the scenario's faults of messages name it. A doubled one has two lines. */
  number: number
  from: string
  to: string
  text: string
  sentMs: number
  /** When it arrives, or would have arrived if it was lost. */
  arrivesMs: number
  /** Why it does not arrive. */
  lost?: string
}

/** A line of a history: a message, or something that happens to a node. */
export type Happening = Sent | { kind: 'node'; node: string; text: string; atMs: number }

export interface Run<Violation> {
  violations: Violation[]
  /** The number of messages that were sent. */
  messages: number
  /** Empty unless `record` was set. */
  history: Happening[]
}

/** Runs a scenario to its end. The same scenario gives the same run. */
export function simulate<Node extends string, Request, Message, Violation>(
  system: System<Node, Request, Message, Violation>,
  scenario: Scenario<Request>,
  { record = false }: { record?: boolean } = {},
): Run<Violation> {
  return new Simulation(system, scenario, record).simulate()
}

const saveMs = 1
const slowSaveMs = 20
/** How much slower than the others a way from one node to another may be, in ms, and how slow it may become. */
const paces = [0, 0, 1, 2, 4, 8]
const slowestPace = 24
/** Within this number of messages two ways become slow. */
const changesWithin = 60
/** Primitive values cannot change, and cloning takes longer than all else that a save does. */
const copyOf = (value: unknown): unknown => (typeof value === 'object' ? structuredClone(value) : value)
const emptyDisk: ReadonlyMap<string, unknown> = new Map()
/** What a node does with messages before it has started. */
const deaf = () => undefined
/** Changes the seed, so that `random` does not return the jitter's numbers. */
const otherSeed = 0x5eed

/** A node, as the simulator sees it. */
interface Place<Node, Message> {
  name: Node
  index: number
  /** The time until which it is down, is paused, receives nothing, sends nothing, or has a slow disk. */
  downMs: number
  pausedMs: number
  deafMs: number
  muteMs: number
  slowDiskMs: number
  /** When its last save ends: saves end in order. */
  savedMs: number
  clockOffset: number
  /** What its clock gains in each ms, since when. */
  drift: number
  driftsSinceMs: number
  /** The number of effects so far, and after which ones it crashes. */
  effects: number
  crashes: Extract<Strike, { fate: 'crash after' }>[] | undefined
  /** Whether it has not started since its crash, and so has no memory; and how often it has started. */
  isBlank: boolean
  starts: number
  /** Undefined until something is saved, or is in the cache. */
  disk: Map<string, unknown> | undefined
  cache: Map<string, unknown> | undefined
  receive: Receive<Node, Message>
}

type AnyHandler<Node, Message> = Handler<Node, Message, Message> | Handler<Node, Message>

/** A handler that runs on a node. */
interface Task<Node, Message> {
  place: Place<Node, Message>
  handler: AnyHandler<Node, Message>
  /** The number of the effect that it is waiting for; 0 when it is not waiting or has ended. */
  waitsFor: number
  until: (() => boolean) | undefined
  /** The message that it handles. */
  letter: Letter<Node, Message> | undefined
}

/** A message on its way. */
interface Letter<Node, Message> {
  from: Place<Node, Message>
  to: Place<Node, Message>
  message: Message
  /** The task that waits for the answer, or that this is the answer for, and the number of its effect. */
  asker: Task<Node, Message> | undefined
  question: number
  isAnswer: boolean
}

/** Messages are data, and data has no functions. */
const isHandler = <Node, Message>(
  received: ReturnType<Receive<Node, Message>>,
): received is AnyHandler<Node, Message> =>
  typeof received === 'object' && received !== null && 'next' in received && typeof received.next === 'function'

class Simulation<Node extends string, Request, Message, Violation> implements World<Node, Message, Violation> {
  now = 0
  readonly #system: System<Node, Request, Message, Violation>
  readonly #record: boolean
  readonly #jitter: (() => number) | undefined
  readonly #paces: Paces | undefined
  readonly #seed: number
  #random: (() => number) | undefined
  readonly #afterMarks: NonNullable<Scenario<Request>['marks']>
  #marks = 0
  readonly #fates = new Map<number, Scenario<Request>['messages'][number]>()
  readonly #queue = new EventQueue()
  readonly #places = new Map<Node, Place<Node, Message>>()
  /** The tasks in progress, and those of them that wait for a condition. */
  readonly #tasks = new Set<Task<Node, Message>>()
  readonly #waiting = new Set<Task<Node, Message>>()
  readonly #history: Happening[] = []
  readonly #reported: Violation[] = []
  readonly #running: Running<Node, Request, Message, Violation>
  #messages = 0
  #effects = 0
  #isStopped = false

  constructor(system: System<Node, Request, Message, Violation>, scenario: Scenario<Request>, record: boolean) {
    this.#system = system
    this.#record = record
    this.#jitter = scenario.jitter === 0 ? undefined : randomFrom(scenario.jitter)
    this.#seed = scenario.jitter ^ otherSeed
    this.#afterMarks = scenario.marks ?? []
    for (const fate of scenario.messages) this.#fates.set(fate.number, fate)
    this.#paces = scenario.paces ? pacesFrom(scenario.paces, system.nodes.length) : undefined
    for (const [index, name] of system.nodes.entries()) {
      this.#places.set(name, {
        name,
        index,
        downMs: 0,
        pausedMs: 0,
        deafMs: 0,
        muteMs: 0,
        slowDiskMs: 0,
        savedMs: 0,
        clockOffset: 0,
        drift: 0,
        driftsSinceMs: 0,
        effects: 0,
        crashes: undefined,
        isBlank: true,
        starts: 0,
        disk: undefined,
        cache: undefined,
        receive: deaf,
      })
    }
    const strikes = scenario.nodes.map((strike) => [this.#place(system.nodes[strike.node] as Node), strike] as const)
    // Known before the nodes start: their first effects may already be the ones to crash after.
    for (const [place, strike] of strikes) {
      if (strike.fate === 'crash after') place.crashes = [...(place.crashes ?? []), strike]
    }
    this.#running = system.begin(this)
    for (const place of this.#places.values()) this.#isUp(place)
    for (const [place, strike] of strikes) {
      if (strike.fate !== 'crash after') this.#queue.add(strike.atMs, () => this.#strike(place, strike))
    }
    for (const [at, request] of scenario.requests.entries())
      this.#queue.add(at * (system.requestEveryMs ?? 1), () => this.#running.request?.(request))
  }

  simulate(): Run<Violation> {
    const { mostMs = Number.POSITIVE_INFINITY, mostMessages = Number.POSITIVE_INFINITY } = this.#system
    for (let next = this.#queue.take(); next && !this.#isStopped; next = this.#queue.take()) {
      if (next.atMs > mostMs || this.#messages > mostMessages) break
      this.now = next.atMs
      next.run()
    }
    const violations = this.#reported.length > 0 ? this.#reported : (this.#running.check?.() ?? [])
    return { violations, messages: this.#messages, history: this.#history }
  }

  // What the system can do

  clock(node: Node): number {
    const { clockOffset, drift, driftsSinceMs } = this.#place(node)
    return this.now + clockOffset + (drift === 0 ? 0 : Math.trunc(drift * (this.now - driftsSinceMs)))
  }

  random(): number {
    this.#random ??= randomFrom(this.#seed)
    return this.#random()
  }

  run(node: Node, handler: Handler<Node, Message>): void {
    const place = this.#place(node)
    if (!this.#isUp(place)) return
    if (place.pausedMs > this.now) this.#queue.add(place.pausedMs, () => this.run(node, handler))
    else this.#begin(place, handler)
  }

  later(node: Node, ms: number, handler: () => Handler<Node, Message> | undefined): void {
    const place = this.#place(node)
    this.#queue.add(this.now + ms, () => {
      if (!this.#isUp(place)) return this.later(node, place.downMs - this.now, handler)
      if (place.pausedMs > this.now) return this.later(node, place.pausedMs - this.now, handler)
      const begins = handler()
      if (begins) this.#begin(place, begins)
    })
  }

  mark(node: Node): void {
    const place = this.#place(node)
    this.#marks++
    for (const { number, fate, afterMs, ms } of this.#afterMarks) {
      if (number !== this.#marks) continue
      const atMs = this.now + afterMs
      this.#queue.add(atMs, () => this.#strike(place, { node: place.index, fate, atMs, ms }))
    }
  }

  report(violation: Violation): void {
    if (this.#reported.length === 0) this.#reported.push(violation)
    this.stop()
  }

  stop(): void {
    this.#isStopped = true
  }

  #place(node: Node): Place<Node, Message> {
    const place = this.#places.get(node)
    if (!place) throw new RangeError(`no node "${node}"; the nodes are ${[...this.#places.keys()].join(', ')}`)
    return place
  }

  // Handlers

  #begin(place: Place<Node, Message>, handler: AnyHandler<Node, Message>, letter?: Letter<Node, Message>) {
    this.#step({ place, handler, letter, waitsFor: 0, until: undefined }, handler.next())
  }

  /** An effect is done: the handler continues, unless it has ended or has already had this answer. */
  #go(task: Task<Node, Message>, effect: number, answer: Message) {
    if (task.waitsFor !== effect) return
    const { pausedMs } = task.place
    if (pausedMs > this.now) return this.#queue.add(pausedMs, () => this.#go(task, effect, answer))
    if (task.until) {
      task.until = undefined
      this.#waiting.delete(task)
    }
    this.#step(task, task.handler.next(answer))
  }

  #step(task: Task<Node, Message>, first: ReturnType<AnyHandler<Node, Message>['next']>) {
    const { place, handler, letter } = task
    let step = first
    for (; !step.done; step = handler.next(undefined as Message)) {
      const effect = step.value
      place.effects++
      if (effect.do === 'send') {
        const { to, message } = effect
        this.#send({ from: place, to: this.#place(to), message, asker: undefined, question: 0, isAnswer: false })
      } else if (effect.do === 'cache') {
        place.cache = (place.cache ?? new Map()).set(effect.key, copyOf(effect.value))
      } else {
        if (task.waitsFor === 0) this.#tasks.add(task)
        task.waitsFor = ++this.#effects
        this.#perform(task, task.waitsFor, effect)
      }
      const crash = place.crashes?.find(({ effects }) => effects === place.effects)
      if (crash) {
        this.#tasks.add(task)
        return this.#strike(place, crash)
      }
      if (effect.do !== 'send' && effect.do !== 'cache') break
    }
    if (step.done) {
      if (task.waitsFor !== 0) this.#tasks.delete(task)
      task.waitsFor = 0
      if (letter) this.#answer(letter, step.value as Message)
    }
    if (this.#waiting.size > 0) this.#wake(place)
  }

  #perform(
    task: Task<Node, Message>,
    number: number,
    effect: Exclude<Effect<Node, Message>, { do: 'send' | 'cache' }>,
  ) {
    const { place } = task
    switch (effect.do) {
      case 'ask': {
        const { to, message, againMs } = effect
        const letter = { from: place, to: this.#place(to), message, asker: task, question: number, isAnswer: false }
        return this.#ask(task, letter, againMs)
      }
      case 'wait':
        if (effect.until) this.#waiting.add(task)
        task.until = effect.until
        return this.#queue.add(this.now + effect.ms, () => this.#go(task, number, undefined as Message))
      case 'save': {
        const value = copyOf(effect.value)
        const tookMs = place.slowDiskMs > this.now ? slowSaveMs : saveMs
        place.savedMs = Math.max(place.savedMs, this.now + tookMs)
        return this.#queue.add(place.savedMs, () => {
          if (task.waitsFor !== number) return
          place.disk ??= new Map()
          if (place.cache) for (const [key, cached] of place.cache) place.disk.set(key, cached)
          place.cache = undefined
          place.disk.set(effect.key, value)
          this.#go(task, number, undefined as Message)
        })
      }
    }
  }

  #ask(task: Task<Node, Message>, letter: Letter<Node, Message>, againMs: number) {
    if (task.waitsFor !== letter.question) return
    const { pausedMs } = task.place
    const isPaused = pausedMs > this.now
    if (!isPaused) this.#send(letter)
    this.#queue.add(isPaused ? pausedMs : this.now + againMs, () => this.#ask(task, letter, againMs))
  }

  /** Something has happened on the node: tasks whose condition now holds continue. */
  #wake(place: Place<Node, Message>) {
    for (const task of this.#waiting) {
      if (task.place !== place || !task.until?.()) continue
      this.#waiting.delete(task)
      const { waitsFor } = task
      this.#queue.add(this.now, () => {
        // Another task may have continued first and made the condition false.
        if (task.waitsFor === waitsFor && !task.until?.()) this.#waiting.add(task)
        else this.#go(task, waitsFor, undefined as Message)
      })
    }
  }

  // The network, and faults

  #send(letter: Letter<Node, Message>) {
    const fate = this.#fates.get(++this.#messages)
    let tookMs = fate?.fate === 'late' ? 1 + fate.ms : 1
    if (this.#paces) tookMs += this.#paces(letter.from.index, letter.to.index, this.#messages)
    else if (this.#jitter) tookMs += Math.floor(8 * this.#jitter())
    this.#carry(letter, tookMs, fate?.fate === 'lost')
    if (fate?.fate === 'doubled') this.#carry(letter, tookMs + fate.ms, false)
  }

  #carry(letter: Letter<Node, Message>, tookMs: number, isLost: boolean) {
    const { from, to, message } = letter
    const { now } = this
    const arrivesMs = now + tookMs
    const lost = isLost ? 'lost' : from.muteMs > now || to.deafMs > now ? 'cut off' : undefined
    let sent: Sent | undefined
    if (this.#record) {
      const text = this.#system.describe(message)
      sent = {
        kind: 'message',
        number: this.#messages,
        from: from.name,
        to: to.name,
        text,
        sentMs: now,
        arrivesMs,
        ...(lost && { lost }),
      }
      this.#history.push(sent)
    }
    if (!lost) this.#queue.add(arrivesMs, () => this.#arrive(letter, sent))
  }

  #arrive(letter: Letter<Node, Message>, sent: Sent | undefined) {
    const { from, to, message, asker, question, isAnswer } = letter
    if (!this.#isUp(to)) {
      if (sent) sent.lost = `${to.name} is down`
    } else if (to.pausedMs > this.now) {
      this.#queue.add(to.pausedMs, () => this.#arrive(letter, sent))
    } else if (isAnswer) {
      if (asker) this.#go(asker, question, message)
    } else {
      const received = to.receive(message, from.name)
      if (isHandler(received)) return this.#begin(to, received, letter)
      if (received !== undefined) this.#answer(letter, received)
      if (this.#waiting.size > 0) this.#wake(to)
    }
  }

  #answer({ from: to, to: from, asker, question }: Letter<Node, Message>, message: Message) {
    if (asker) this.#send({ from, to, message, asker, question, isAnswer: true })
  }

  #strike(place: Place<Node, Message>, strike: Strike) {
    const { fate, ms } = strike
    if (this.#record) this.#history.push({ kind: 'node', node: place.name, text: strikeText(strike), atMs: this.now })
    const untilMs = this.now + ms
    switch (fate) {
      case 'clock':
        place.clockOffset = ms
        break
      case 'drift':
        place.clockOffset = this.clock(place.name) - this.now
        place.drift = ms / 1000
        place.driftsSinceMs = this.now
        break
      case 'partition':
        place.deafMs = untilMs
        place.muteMs = untilMs
        break
      case 'deaf':
        place.deafMs = untilMs
        break
      case 'mute':
        place.muteMs = untilMs
        break
      case 'slow disk':
        place.slowDiskMs = untilMs
        break
      case 'pause':
        place.pausedMs = Math.max(place.pausedMs, untilMs)
        break
      case 'power cut':
        place.cache = undefined
        this.#crash(place, ms)
        break
      default:
        this.#crash(place, ms)
    }
  }

  #crash(place: Place<Node, Message>, ms: number) {
    place.downMs = this.now + ms
    place.pausedMs = 0
    place.isBlank = true
    for (const task of this.#tasks) {
      if (task.place !== place) continue
      task.waitsFor = 0
      this.#tasks.delete(task)
      this.#waiting.delete(task)
    }
    this.#queue.add(place.downMs, () => {
      if (this.#isUp(place)) this.#running.back?.(place.name)
    })
  }

  /** Starts a node whose crash is over, unless it has started already. */
  #isUp(place: Place<Node, Message>): boolean {
    if (place.downMs > this.now) return false
    if (place.isBlank) {
      place.isBlank = false
      const { disk = emptyDisk, cache } = place
      const found = cache ? new Map([...disk, ...cache]) : disk
      const copy = found === emptyDisk ? emptyDisk : new Map([...found].map(([key, value]) => [key, copyOf(value)]))
      place.receive = this.#running.start(place.name, copy, this.#worldOf(place))
    }
    return true
  }

  /** What a node may use from one start to the next. */
  #worldOf(place: Place<Node, Message>): NodeWorld<Message, Node> {
    const start = ++place.starts
    const world = this
    return {
      get now() {
        return world.now
      },
      random: () => this.random(),
      run: (node, handler) => this.run(node, handler),
      later: (node, ms, handler) => this.later(node, ms, () => (place.starts === start ? handler() : undefined)),
    }
  }
}

/** Returns what happens to a node, for readers, such as `crashes for 60 ms`. */
export const strikeText = (strike: Strike): string => {
  const { fate, ms } = strike
  if (fate === 'crash after') return `crashes after effect ${strike.effects} for ${ms} ms`
  const texts: Record<typeof fate, string> = {
    crash: `crashes for ${ms} ms`,
    'power cut': `has no power for ${ms} ms`,
    partition: `is cut off for ${ms} ms`,
    deaf: `receives nothing for ${ms} ms`,
    mute: `sends nothing for ${ms} ms`,
    'slow disk': `disk is slow for ${ms} ms`,
    pause: `is paused for ${ms} ms`,
    clock: `clock ${ms} ms off`,
    drift: `clock gains ${ms} ms a second`,
  }
  return texts[fate]
}

/** Returns how much slower a message is, by the indices of its nodes and its number. */
type Paces = (from: number, to: number, number: number) => number

function pacesFrom(seed: number, nodes: number): Paces {
  const random = randomFrom(seed)
  const ways = Array.from({ length: nodes * nodes }, () => paces[Math.floor(paces.length * random())] as number)
  const changes = [0, 1].map(() => 1 + Math.floor(changesWithin * random()))
  return (from, to, number) => {
    const way = from * nodes + to
    if (changes.includes(number)) ways[way] = slowestPace
    return ways[way] as number
  }
}

interface Entry {
  atMs: number
  /** Events at the same time run in the order in which they were added. */
  turn: number
  run: () => void
}

/** The pending events, the next one first: a binary heap. */
class EventQueue {
  readonly #heap: Entry[] = []
  #turns = 0

  add(atMs: number, run: () => void): void {
    const heap = this.#heap
    const added = { atMs, turn: this.#turns++, run }
    let at = heap.length
    while (at > 0) {
      const above = (at - 1) >> 1
      const parent = heap[above] as Entry
      if (!isBefore(added, parent)) break
      heap[at] = parent
      at = above
    }
    heap[at] = added
  }

  /** Removes the next event and returns it; undefined when none is left. */
  take(): Entry | undefined {
    const heap = this.#heap
    const first = heap[0]
    const last = heap.pop()
    if (last === undefined || heap.length === 0) return first
    let at = 0
    for (;;) {
      let below = 2 * at + 1
      let child = heap[below]
      if (child === undefined) break
      const other = heap[below + 1]
      if (other !== undefined && isBefore(other, child)) {
        child = other
        below++
      }
      if (!isBefore(child, last)) break
      heap[at] = child
      at = below
    }
    heap[at] = last
    return first
  }
}

const isBefore = (a: Entry, b: Entry) => a.atMs < b.atMs || (a.atMs === b.atMs && a.turn < b.turn)

/** Returns a history as text: a line for each message and fault, in order of their beginnings. */
export function historyText(history: readonly Happening[], nodes: readonly string[]): string {
  const width = Math.max(...nodes.map(({ length }) => length))
  return history
    .map((line) => {
      if (line.kind === 'node') return `${ms(line.atMs)} ${line.node.padEnd(width)}   ${line.text}`
      const end = line.lost ? `(${line.lost})` : `(at ${line.arrivesMs} ms)`
      return `${ms(line.sentMs)} ${line.from.padEnd(width)} → ${line.to.padEnd(width)} ${line.text} ${end}`
    })
    .join('\n')
}

const ms = (time: number) => `${String(time).padStart(5)} ms`
