/**
 * The pipeline as the simulator runs it: a front, three workers, and a server that holds the store and the queues, as
 * Redis does.
 *
 * The handlers are those of the real workers (orders.ts), and the store's rules are those of the real one
 * (memory-store.ts). Each effect of a handler is a request to the server. A request without a reply is sent again, as
 * ioredis does after a lost connection. The queue delivers at least once: a job that is not acknowledged in time is
 * delivered again, as BullMQ does when a lock has expired.
 */
import { type Range, scenarios } from '@repo/simulator/search'
import type { Handler, Running, Scenario, System, World } from '@repo/simulator/simulator'
import fc from 'fast-check'
import { check, mostRefusals, type Violation } from './invariants.ts'
import { MemoryStore } from './memory-store.ts'
import { type Answer, accept, type Bug, type Effect, handlers, type Order, type Outcome, type Stage } from './orders.ts'

export const nodes = ['front', 'server', 'payment 1', 'shipping 1', 'shipping 2'] as const
export type Node = (typeof nodes)[number]
const workersOf: Record<Stage, readonly Node[]> = { payment: ['payment 1'], shipping: ['shipping 1', 'shipping 2'] }
const stock = { book: 6, lamp: 6 } as const

/** What a client orders. */
export type Wanted = Pick<Order, 'item' | 'quantity' | 'card'>

interface Job {
  stage: Stage
  order: Order
  deliveries: number
  state: 'waiting' | 'active' | 'done'
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
const leaseMs = 150

/** Scenarios of at most `mostOrders` orders. */
export function orderScenarios(mostOrders: number, leastOrders = 1): fc.Arbitrary<Scenario<Wanted>> {
  const wanted = fc.record({
    item: fc.constantFrom(...Object.keys(stock)),
    quantity: fc.integer({ min: 1, max: 3 }),
    card: fc.constantFrom<Order['card'][]>('good', 'good', 'good', 'good', 'good', 'refused'),
  })
  const requests = fc.array(wanted, { minLength: leastOrders, maxLength: mostOrders })
  const range: Range<Wanted> = { requests, nodes: nodes.length, messages: 30 * mostOrders, withinMs: 80 }
  return scenarios(range)
}

/** The pipeline, with one bug or none. */
export function simulatedPipeline(bug?: Bug): System<Node, Wanted, Message, Violation> {
  return {
    nodes,
    requestEveryMs: 2,
    mostMs: 10_000,
    mostMessages: 3_000,
    begin: (world) => new SimulatedPipeline(world, bug),
    describe,
  }
}

class SimulatedPipeline implements Running<Node, Wanted, Message, Violation> {
  readonly #world: World<Node, Message>
  readonly #bug: Bug | undefined
  readonly #store = new MemoryStore(stock)
  readonly #jobs = new Map<string, Job>()
  readonly #accepted: Order[] = []
  readonly #unaccepted = new Map<string, Order>()
  #orders = 0
  #isEndless = false

  constructor(world: World<Node, Message>, bug: Bug | undefined) {
    this.#world = world
    this.#bug = bug
  }

  // The client and the front

  request({ item, quantity, card }: Wanted) {
    const order = { id: `order-${++this.#orders}`, item, quantity, cents: 100, card }
    this.#unaccepted.set(order.id, order)
    this.#world.run('front', this.#accept(order))
  }

  /** While the front is down, the client cannot send. When it is back, the client resends what was not accepted. */
  back(node: Node) {
    if (node !== 'front') return
    for (const order of this.#unaccepted.values()) this.#world.run('front', this.#accept(order))
  }

  *#accept(order: Order): Task {
    const handler = accept(order, this.#contextOn('front', 1))
    let step = handler.next()
    while (!step.done) step = handler.next((yield ask(step.value)) as Answer)
    if (this.#unaccepted.delete(order.id)) this.#accepted.push(order)
  }

  // The workers

  start(node: Node) {
    if (node === 'server') return (message: Message, from: Node) => this.#serve(message as Request, from)
    const has = new Set<Delivery>()
    // A delivery that the network has duplicated is still one job.
    return (message: Message) => (has.has(message as Delivery) ? undefined : this.#work(node, message as Delivery, has))
  }

  /** Works on a job. When the handler has ended, the queue is told. */
  *#work(node: Node, delivery: Delivery, has: Set<Delivery>): Task {
    has.add(delivery)
    const { stage, order } = delivery.job
    const handler = handlers[stage](order, this.#contextOn(node, delivery.number))
    let step = handler.next()
    while (!step.done) step = handler.next((yield ask(step.value, delivery)) as Answer)
    yield ask({ do: 'end', outcome: step.value }, delivery)
    has.delete(delivery)
  }

  #contextOn(node: Node, delivery: number) {
    return { bug: this.#bug, delivery, now: this.#clockOf(node) }
  }

  #clockOf(node: Node) {
    return () => this.#world.clock(node)
  }

  // The server

  /** Performs an effect, and returns the answer. */
  #serve({ effect, of }: Request, from: Node) {
    switch (effect.do) {
      case 'send':
        return this.#add(effect.to, effect.order)
      case 'acknowledge':
        if (of) this.#close(of, { done: true })
        return 'acknowledged'
      case 'end':
        if (of) this.#close(of, effect.outcome)
        return 'ended'
    }
    const answer = this.#store.perform(effect, from, this.#world.clock(from))
    if (answer === 'unavailable' && this.#isTriedForEver(effect.order, of)) {
      this.#isEndless = true
      this.#world.stop()
    }
    return answer
  }

  /** Whether the bank was asked more often than allowed: then it may be asked for ever. */
  #isTriedForEver(id: string, of: Delivery | undefined) {
    if ((of?.number ?? 1) <= mostRefusals) return false
    const refusals = this.#store.history.filter(({ effect, answer }) => effect.order === id && answer === 'unavailable')
    return refusals.length > mostRefusals
  }

  /** Puts an order into the queue of a stage, once. */
  *#add(stage: Stage, order: Order): Handler<Node, Message, Answer> {
    const id = `${stage} ${order.id}`
    if (!this.#jobs.has(id)) {
      const job: Job = { stage, order, deliveries: 0, state: 'waiting' }
      this.#jobs.set(id, job)
      yield* this.#offer(job)
    }
    return 'sent'
  }

  /** Gives a job to a worker, and again if the worker does not acknowledge it in time. */
  *#offer(job: Job): Task {
    job.state = 'active'
    const delivery = { job, number: ++job.deliveries }
    const workers = workersOf[job.stage]
    const to = workers[(Number(job.order.id.slice(6)) + delivery.number) % workers.length] as Node
    yield { do: 'send', to, message: delivery }
    this.#offerLater(delivery, leaseMs)
  }

  #offerLater({ job, number }: Delivery, ms: number) {
    this.#world.later('server', ms, () =>
      job.deliveries !== number || job.state === 'done' ? undefined : this.#offer(job),
    )
  }

  /** A job ends, or waits for its next try. Only the worker that currently has it may decide that. */
  #close({ job, number }: Delivery, outcome: Outcome) {
    if (job.state !== 'active' || job.deliveries !== number) return
    job.state = outcome.done ? 'done' : 'waiting'
    if (!outcome.done) this.#offerLater({ job, number }, outcome.retryAfterMs)
  }

  check(): Violation[] {
    return check({
      history: this.#store.history,
      accepted: this.#accepted,
      unfinished: this.#isEndless,
      stockBefore: stock,
      stockAfter: Object.fromEntries(this.#store.stock),
    })
  }
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
