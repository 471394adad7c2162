/**
 * The pipeline as the simulator runs it: a front, three workers, and a server that holds the store and the queues, as
 * Redis does.
 *
 * The handlers are those of the real workers (orders.ts), and the store's rules are those of the real one
 * (memory-store.ts). Each effect of a handler is a request to the server. A request without a reply is sent again, as
 * ioredis does after a lost connection. The queue delivers at least once: a job that is not acknowledged in time is
 * delivered again, as BullMQ does when a lock has expired.
 *
 * The server writes each request to its log, and replies when its disk has the request, as Redis does with `appendfsync
 * always`. When it crashes, it loses what its disk does not have, and performs the rest of the log again.
 */
import { type Range, scenarios } from '@repo/simulator/search'
import type { Handler, Running, Scenario, System, World } from '@repo/simulator/simulator'
import fc from 'fast-check'
import { check, mostRefusals, triedTooOften, type Violation } from './invariants.ts'
import { MemoryStore } from './memory-store.ts'
import type { Answer, Bug, Effect, Order, Outcome, Stage } from './orders.ts'
import * as orders from './orders.ts'

export const nodes = ['front', 'server', 'payment 1', 'shipping 1', 'shipping 2'] as const
export type Node = (typeof nodes)[number]
const workersOf: Record<Stage, readonly Node[]> = { payment: ['payment 1'], shipping: ['shipping 1', 'shipping 2'] }
/** One order may ask for more lamps than there are, and two may share the books. */
const stock = { book: 5, lamp: 2 } as const
/** The numbers of the first orders. Others follow, from 5. As texts, some begin or end like others. */
const orderNumbers = [1, 12, 2, 21]

/** What a client orders, and whether it then uses the same id for another order, by mistake. */
export interface Wanted extends Pick<Order, 'item' | 'quantity' | 'cents' | 'card'> {
  isReused?: boolean
}

interface Job {
  stage: Stage
  order: Order
  deliveries: number
  isDone: boolean
  /** Only the latest of its timers counts. */
  timer: number
}

/** A job on its way to a worker. */
interface Delivery {
  job: Job
  /** From 1. */
  number: number
}

/** A request to the server, from the handler of a delivery or from the front. */
interface Request {
  effect: Effect | { do: 'end'; outcome: Outcome }
  of: Delivery | undefined
}

type Message = Request | Delivery | Answer
type Task = Handler<Node, Message>

const resendMs = 40
/** How long a worker keeps a job without acknowledging it. */
const leaseMs = 400
/** How long an order may take: longer than any has taken without a bug. */
const endsWithinMs = 8_000

/** What the pipeline is made of; a test may replace a part. */
export interface Parts {
  bug?: Bug | undefined
  logic: Pick<typeof orders, 'accept' | 'handlers'>
  Store: typeof MemoryStore
  /** Whether the server replies only when its disk has the request. */
  isSynced: boolean
}

/** An entry of the server's log. */
interface Logged {
  effect: Request['effect']
  from: Node
  atMs: number
  storeMs: number
  /** The job that it puts into its queue, and the job that it ends. */
  begins: Job | undefined
  ends: Job | undefined
}

/** Scenarios of at most `mostOrders` orders. */
export function orderScenarios(mostOrders: number, leastOrders = 1): fc.Arbitrary<Scenario<Wanted>> {
  // #region scenario
  const wanted = fc.record({
    item: fc.constantFrom(...Object.keys(stock)),
    quantity: fc.integer({ min: 1, max: 3 }),
    cents: fc.integer({ min: 100, max: 999 }),
    card: fc.constantFrom<Order['card'][]>('good', 'good', 'good', 'good', 'good', 'refused'),
    isReused: fc.constantFrom(false, false, false, true),
  })
  const requests = fc.array(wanted, { minLength: leastOrders, maxLength: mostOrders })
  const range: Range<Wanted> = {
    requests,
    nodes: nodes.length,
    messages: 30 * mostOrders,
    withinMs: 80,
    longestMs: 4 * leaseMs,
  }
  return scenarios(range)
  // #endregion scenario
}

/** The pipeline, with one bug or none. */
export function simulatedPipeline(bug?: Bug, parts: Partial<Parts> = {}): System<Node, Wanted, Message, Violation> {
  const all = { bug, logic: orders, Store: MemoryStore, isSynced: true, ...parts }
  return {
    nodes,
    requestEveryMs: 2,
    mostMs: 12_000,
    mostMessages: 3_000,
    begin: (world) => new SimulatedPipeline(world, all),
    describe,
  }
}

class SimulatedPipeline implements Running<Node, Wanted, Message, Violation> {
  readonly #world: World<Node, Message>
  readonly #parts: Parts
  readonly #orders: Order[] = []
  readonly #accepted = new Set<string>()
  /** Those whose ids belong to other orders, and that were accepted. */
  readonly #mistaken: string[] = []
  #tries = 0
  readonly #pauses: { order: string; delivery: number; ms: number }[] = []
  /** The server's log. On its disk is its length. */
  readonly #log: Logged[] = []
  #store: MemoryStore
  readonly #jobs = new Set<Job>()
  #isEndless = false

  constructor(world: World<Node, Message>, parts: Parts) {
    this.#world = world
    this.#parts = parts
    this.#store = new parts.Store(stock)
  }

  // The client and the front

  request({ isReused, ...wanted }: Wanted) {
    const at = this.#orders.length
    const order = { id: `order-${orderNumbers[at] ?? at + 1}`, ...wanted }
    this.#orders.push(order)
    this.#world.run('front', this.#place(order, isReused))
  }

  /** While the front is down, the client cannot send. When it is back, the client resends what was not accepted. */
  back(node: Node) {
    if (node !== 'front') return
    for (const order of this.#orders) if (!this.#accepted.has(order.id)) this.#world.run('front', this.#place(order))
  }

  *#place(order: Order, isReused = false): Task {
    yield* this.#accept(order)
    this.#accepted.add(order.id)
    if (isReused && (yield* this.#accept({ ...order, cents: order.cents + 1 })) !== 'conflict')
      this.#mistaken.push(order.id)
  }

  /** Returns the answer to its first effect. As in the real front, each try has a correlation id of its own. */
  *#accept(order: Order): Handler<Node, Message, Message | undefined> {
    const correlation = `try-${++this.#tries}`
    const handler = this.#parts.logic.accept({ ...order, correlation }, this.#contextOn('front', 1))
    let first: Message | undefined
    let step = handler.next()
    while (!step.done) {
      const answer = yield ask(step.value)
      first ??= answer
      step = handler.next(answer as Answer)
    }
    return first
  }

  // The workers

  start(node: Node, disk: ReadonlyMap<string, unknown>) {
    if (node === 'server') {
      this.#recover(Number(disk.get('log') ?? 0))
      return (message: Message, from: Node) => this.#serve(message as Request, from)
    }
    const has = new Set<Delivery>()
    // A delivery that the network has duplicated is still one job.
    return (message: Message) => (has.has(message as Delivery) ? undefined : this.#work(node, message as Delivery, has))
  }

  /** Works on a job. When the handler has ended, the queue is told. */
  // #region work
  *#work(node: Node, delivery: Delivery, has: Set<Delivery>): Task {
    has.add(delivery)
    const { stage, order } = delivery.job
    const handler = this.#parts.logic.handlers[stage](order, this.#contextOn(node, delivery.number))
    let step = handler.next()
    while (!step.done) step = handler.next((yield ask(step.value, delivery)) as Answer)
    yield ask({ do: 'end', outcome: step.value }, delivery)
    has.delete(delivery)
  }
  // #endregion work

  #contextOn(node: Node, delivery: number) {
    return { bug: this.#parts.bug, delivery, now: this.#clockOf(node) }
  }

  #clockOf(node: Node) {
    return () => this.#world.clock(node)
  }

  // The server

  /** Performs a request, and answers when the disk has it. */
  *#serve({ effect, of }: Request, from: Node): Handler<Node, Message, Answer> {
    // Only the worker that currently has a job may end it.
    const isCurrent = of !== undefined && of.job.deliveries === of.number && !of.job.isDone
    const isEnd = effect.do === 'acknowledge' || (effect.do === 'end' && effect.outcome.done)
    const begins = effect.do === 'send' ? this.#newJob(effect.to, effect.order) : undefined
    const [atMs, storeMs] = [this.#world.clock(from), this.#world.now]
    const logged = { effect, from, atMs, storeMs, begins, ends: isEnd && isCurrent ? of.job : undefined }
    this.#log.push(logged)
    const answer = this.#perform(logged)
    if (this.#parts.isSynced) yield { do: 'save', key: 'log', value: this.#log.length }
    else this.#world.run('server', saving(this.#log.length))
    if (begins) yield* this.#offer(begins)
    else if (effect.do === 'end' && !effect.outcome.done && isCurrent) this.#tryLater(of, effect.outcome.retryAfterMs)
    else if (answer === 'unavailable') this.#stopIfEndless(of)
    return answer
  }

  #perform({ effect, from, atMs, storeMs, begins, ends }: Logged): Answer {
    if (begins) {
      begins.isDone = false
      this.#jobs.add(begins)
    }
    if (ends) ends.isDone = true
    switch (effect.do) {
      case 'send':
        return 'sent'
      case 'acknowledge':
        return 'acknowledged'
      case 'end':
        return 'ended'
    }
    return this.#store.perform(effect, from, atMs, storeMs)
  }

  /** An order is put into the queue of a stage once. */
  #newJob(stage: Stage, order: Order): Job | undefined {
    for (const job of this.#jobs) if (job.stage === stage && job.order.id === order.id) return undefined
    return { stage, order, deliveries: 0, isDone: false, timer: 0 }
  }

  /** Performs again what is in the log. The workers keep their jobs; what they do not end is delivered again. */
  #recover(length: number) {
    if (this.#log.length === 0) return
    this.#log.length = length
    this.#store = new this.#parts.Store(stock)
    for (const job of this.#jobs) job.isDone = true
    this.#jobs.clear()
    for (const logged of this.#log) this.#perform(logged)
    for (const job of this.#jobs) if (!job.isDone) this.#offerLater(job, leaseMs)
  }

  /** Gives a job to a worker, and again if the worker does not end it in time. */
  *#offer(job: Job): Task {
    const delivery = { job, number: ++job.deliveries }
    const workers = workersOf[job.stage]
    const to = workers[(Number(job.order.id.slice(6)) + delivery.number) % workers.length] as Node
    yield { do: 'send', to, message: delivery }
    this.#offerLater(job, leaseMs)
  }

  #offerLater(job: Job, ms: number) {
    const timer = ++job.timer
    this.#world.later('server', ms, () => (job.timer === timer && !job.isDone ? this.#offer(job) : undefined))
  }

  #tryLater({ job, number }: Delivery, ms: number) {
    this.#pauses.push({ order: job.order.id, delivery: number, ms })
    if (job.deliveries === number) this.#offerLater(job, ms)
  }

  /** A bank that is asked more often than allowed may be asked for ever. */
  #stopIfEndless(of: Delivery | undefined) {
    if ((of?.number ?? 1) <= mostRefusals || triedTooOften(this.#store.history).size === 0) return
    this.#isEndless = true
    this.#world.stop()
  }

  check(): Violation[] {
    return check({
      ...this.#store.books(),
      orders: this.#orders,
      accepted: this.#accepted,
      mistaken: this.#mistaken,
      stockBefore: stock,
      unfinished: this.#isEndless,
      endsWithinMs,
      pauses: this.#pauses,
      openJobs: [...this.#jobs].flatMap(({ stage, order, isDone }) => (isDone ? [] : [`the ${stage} of ${order.id}`])),
    })
  }
}

/** Forces the log to the disk, up to this length. */
function* saving(length: number): Task {
  yield { do: 'save', key: 'log', value: length }
}

/** A handler's effect, as a request to the server. */
const ask = (effect: Request['effect'], of?: Delivery) =>
  ({ do: 'ask', to: 'server', message: { effect, of }, againMs: resendMs }) as const

/** What a message says, for readers. */
function describe(message: Message): string {
  if (typeof message !== 'object') return String(message)
  if ('job' in message) return `${message.job.stage} of ${message.job.order.id}, delivery ${message.number}`
  const { effect, of } = message
  switch (effect.do) {
    case 'end':
      return `${effect.outcome.done ? 'done' : 'again'} ${of?.job.order.id}`
    case 'send':
      return `send ${effect.order.id} to ${effect.to}`
    case 'advance':
      return `advance ${effect.order} to ${effect.state}`
    case 'take':
      return `take ${effect.quantity} ${effect.item}`
    case 'read stock':
      return `how many ${effect.item}?`
    case 'write stock':
      return `${effect.item}: ${effect.left} left`
    case 'acknowledge':
      return 'acknowledge'
    default:
      return `${effect.do} ${effect.order}`
  }
}
