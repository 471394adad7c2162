/**
 * The pipeline's logic on simulated nodes, with a simulated network and a virtual clock: no process, no Redis, no waiting.
 *
 * The handlers are those of the real workers (orders.ts), and the store's rules are those of the real one
 * (memory-store.ts). Simulated is what lies between: a server that keeps store and queue, messages that take their time,
 * and get lost, doubled and late, nodes that crash and come back, clocks that are wrong. Time is the number of the next
 * event. Nothing here asks the machine for time or chance, so the same scenario has the same history, byte for byte.
 *
 * The queue delivers at least once: a job that is not acknowledged in time is delivered again, as by BullMQ's lock. A
 * request without an answer is sent again, as ioredis does after a lost connection.
 */
import { randomFrom } from '@repo/common/async/random'
import { check, mostRefusals, type Violation } from '../pipeline/invariants.ts'
import { MemoryStore } from '../pipeline/memory-store.ts'
import {
  accept,
  type Bug,
  type Effect,
  type Handler,
  handlers,
  type Order,
  type Outcome,
  type Stage,
} from '../pipeline/orders.ts'
import { EventQueue } from './event-queue.ts'

/** What a run depends on; all of it. */
export interface Scenario {
  orders: { item: string; quantity: number; card: Order['card'] }[]
  /** Messages take 1 to 8 ms by this seed; with 0 each takes 1 ms. */
  jitter: number
  /** What becomes of single messages, by their number in the order of sending. */
  messages: { number: number; fate: 'lost' | 'doubled' | 'late'; ms: number }[]
  /** What becomes of nodes, by their index in `nodes`: a crash or a partition for `ms`, a clock that is wrong by `ms`. */
  nodes: { node: number; fate: 'crash' | 'partition' | 'clock'; atMs: number; ms: number }[]
}

/** The server holds the queue and the store, as Redis does. */
export const nodes = ['front', 'server', 'payment 1', 'shipping 1', 'shipping 2'] as const
export type Node = (typeof nodes)[number]
const workersOf: Record<Stage, readonly Node[]> = { payment: ['payment 1'], shipping: ['shipping 1', 'shipping 2'] }
export const stock = { book: 6, lamp: 6 } as const

export interface Message {
  kind: 'message'
  from: Node
  to: Node
  text: string
  sentMs: number
  /** When it arrives or would have. */
  arrivesMs: number
  /** Why it does not arrive. */
  lost?: string
}

/** A line of the history: a message, or something that happens to a node. */
export type Happening = Message | { kind: 'node'; node: Node; text: string; atMs: number }

export interface Run {
  violations: Violation[]
  /** How many messages were sent. */
  messages: number
  /** In virtual ms. */
  endMs: number
  /** Empty unless `record` was set. */
  history: Happening[]
}

const resendMs = 40
/** How long a worker keeps a job without acknowledging it. */
const leaseMs = 150
const placeEveryMs = 2
/** A run that has not ended by then never does. */
const horizonMs = 10_000
const mostMessages = 3_000

type Request =
  | { do: 'effect'; effect: Effect }
  | { do: 'end'; stage: Stage; order: string; delivery: number; outcome: Outcome }

interface Job {
  stage: Stage
  order: Order
  delivery: number
  state: 'waiting' | 'active' | 'done'
}

/** One run of a handler on a node. */
interface Task {
  node: Node
  handler: Handler
  job: Job | undefined
  order: Order
  delivery: number
  /** The number of the request whose answer it waits for; 0 when it has ended. */
  waitsFor: number
}

type Event =
  | { do: 'place'; order: Order }
  | { do: 'request'; task: Task; number: number; request: Request }
  | { do: 'answer'; task: Task; number: number; answer: string | number }
  | { do: 'deliver'; to: Node; job: Job; delivery: number }
  | { do: 'resend'; task: Task; number: number; request: Request }
  | { do: 'offer'; job: Job; delivery: number }
  | { do: 'fate'; fate: Scenario['nodes'][number] }
  | { do: 'restart'; node: Node }

/** An event, where it happens, and the message that brings it. */
interface Scheduled {
  event: Event
  to: Node | undefined
  message: Message | undefined
}

class Simulation {
  readonly #bug: Bug | undefined
  readonly #record: boolean
  readonly #random: (() => number) | undefined
  readonly #fates = new Map<number, Scenario['messages'][number]>()
  readonly #queue = new EventQueue<Scheduled>()
  readonly #store = new MemoryStore(stock)
  readonly #jobs = new Map<string, Job>()
  readonly #tasks = new Map<Node, Set<Task>>()
  readonly #downUntil = new Map<Node, number>()
  readonly #cutOffUntil = new Map<Node, number>()
  readonly #clockOffset = new Map<Node, number>()
  readonly #accepted: Order[] = []
  readonly #unaccepted = new Map<string, Order>()
  readonly #history: Happening[] = []
  #now = 0
  #messages = 0
  #requests = 0
  #endless = false

  constructor(scenario: Scenario, bug: Bug | undefined, record: boolean) {
    this.#bug = bug
    this.#record = record
    this.#random = scenario.jitter === 0 ? undefined : randomFrom(scenario.jitter)
    for (const fate of scenario.messages) this.#fates.set(fate.number, fate)
    for (const fate of scenario.nodes) this.#schedule(fate.atMs, { do: 'fate', fate })
    for (const [at, { item, quantity, card }] of scenario.orders.entries()) {
      const order = { id: `order-${at + 1}`, item, quantity, cents: 100, card }
      this.#schedule(at * placeEveryMs, { do: 'place', order })
    }
  }

  run(): Run {
    for (let next = this.#queue.take(); next && !this.#endless; next = this.#queue.take()) {
      if (next.atMs > horizonMs || this.#messages > mostMessages) break
      this.#now = next.atMs
      const { to, event, message } = next.what
      if (to === undefined || !this.#isDown(to)) this.#handle(event)
      else if (message) message.lost = `${to} is down`
    }
    const observed = {
      history: this.#store.history,
      accepted: this.#accepted,
      unfinished: this.#endless,
      stockBefore: stock,
      stockAfter: Object.fromEntries(this.#store.stock),
    }
    const violations = check(observed)
    return { violations, messages: this.#messages, endMs: this.#now, history: this.#history }
  }

  #schedule(atMs: number, event: Event, to?: Node, message?: Message) {
    this.#queue.add(atMs, { event, to, message })
  }

  #handle(event: Event) {
    switch (event.do) {
      case 'place':
        this.#unaccepted.set(event.order.id, event.order)
        return this.#place(event.order)
      case 'deliver':
        return this.#begin(event.to, event.job, event.delivery)
      case 'request':
        return this.#serve(event)
      case 'answer':
        if (event.task.waitsFor === event.number) this.#go(event.task, event.answer)
        return
      case 'resend':
        if (event.task.waitsFor === event.number) this.#ask(event.task, event.number, event.request)
        return
      case 'offer':
        if (event.job.delivery !== event.delivery || event.job.state === 'done') return
        // A server that is down gives nothing to anybody.
        if (this.#isDown('server')) this.#schedule(this.#downUntil.get('server') ?? 0, event)
        else this.#offer(event.job)
        return
      case 'fate':
        return this.#strike(event.fate)
      case 'restart':
        // The client sends again what was not accepted.
        if (event.node === 'front') for (const order of this.#unaccepted.values()) this.#place(order)
    }
  }

  // The nodes

  #place(order: Order) {
    // While the front is down the client cannot send; when it is up again, it does.
    if (!this.#isDown('front')) this.#start('front', order, 1, undefined)
  }

  #begin(node: Node, job: Job, delivery: number) {
    for (const task of this.#tasks.get(node) ?? []) if (task.job === job && task.delivery === delivery) return
    this.#start(node, job.order, delivery, job)
  }

  #start(node: Node, order: Order, delivery: number, job: Job | undefined) {
    const now = () => this.#now + (this.#clockOffset.get(node) ?? 0)
    const handler = (job ? handlers[job.stage] : accept)(order, { bug: this.#bug, now, delivery })
    const task: Task = { node, handler, job, order, delivery, waitsFor: 0 }
    const tasks = this.#tasks.get(node)
    if (tasks) tasks.add(task)
    else this.#tasks.set(node, new Set([task]))
    this.#step(task, handler.next())
  }

  /** The answer has come: the handler goes on. */
  #go(task: Task, answer: string | number) {
    if (answer === 'ended') this.#end(task)
    else this.#step(task, task.handler.next(answer))
  }

  #step(task: Task, step: IteratorResult<Effect, Outcome>) {
    const { job } = task
    if (!step.done) {
      this.#ask(task, ++this.#requests, { do: 'effect', effect: step.value })
    } else if (job) {
      const { stage, order } = job
      const { delivery } = task
      this.#ask(task, ++this.#requests, { do: 'end', stage, order: order.id, delivery, outcome: step.value })
    } else {
      this.#end(task)
      if (this.#unaccepted.delete(task.order.id)) this.#accepted.push(task.order)
    }
  }

  #end(task: Task) {
    task.waitsFor = 0
    this.#tasks.get(task.node)?.delete(task)
  }

  #ask(task: Task, number: number, request: Request) {
    task.waitsFor = number
    this.#send(task.node, 'server', request, { do: 'request', task, number, request })
    this.#schedule(this.#now + resendMs, { do: 'resend', task, number, request })
  }

  // The server

  #serve({ task, number, request }: Extract<Event, { do: 'request' }>) {
    const answer = this.#perform(task, request)
    this.#send('server', task.node, answer, { do: 'answer', task, number, answer })
  }

  #perform(task: Task, request: Request): string | number {
    if (request.do === 'end') {
      this.#close(request.stage, request.order, request.delivery, request.outcome)
      return 'ended'
    }
    const { effect } = request
    if (effect.do === 'send') {
      this.#add(effect.to, effect.order)
      return 'sent'
    }
    if (effect.do === 'acknowledge') {
      if (task.job) this.#close(task.job.stage, task.order.id, task.delivery, { done: true })
      return 'acknowledged'
    }
    const clock = this.#now + (this.#clockOffset.get(task.node) ?? 0)
    const answer = this.#store.perform(effect, task.node, clock)
    // What is asked for more often than it may be is perhaps asked for for ever.
    if (answer === 'unavailable')
      this.#endless ||= task.delivery > mostRefusals && this.#refusals(effect.order) > mostRefusals
    return answer
  }

  #refusals(order: string) {
    return this.#store.history.filter(({ effect, answer }) => effect.order === order && answer === 'unavailable').length
  }

  #add(stage: Stage, order: Order) {
    const id = `${stage} ${order.id}`
    if (this.#jobs.has(id)) return
    const job: Job = { stage, order, delivery: 0, state: 'waiting' }
    this.#jobs.set(id, job)
    this.#offer(job)
  }

  /** Gives a job to a worker, and again when the worker does not acknowledge it in time. */
  #offer(job: Job) {
    job.state = 'active'
    const delivery = ++job.delivery
    const workers = workersOf[job.stage]
    const to = workers[(Number(job.order.id.slice(6)) + delivery) % workers.length] as Node
    this.#send('server', to, job, { do: 'deliver', to, job, delivery })
    this.#schedule(this.#now + leaseMs, { do: 'offer', job, delivery })
  }

  /** A job ends, or waits for being tried again; only whoever has it now may say so. */
  #close(stage: Stage, order: string, delivery: number, outcome: Outcome) {
    const job = this.#jobs.get(`${stage} ${order}`)
    if (job?.state !== 'active' || job.delivery !== delivery) return
    if (outcome.done) {
      job.state = 'done'
      return
    }
    job.state = 'waiting'
    this.#schedule(this.#now + outcome.retryAfterMs, { do: 'offer', job, delivery })
  }

  // The network, and what strikes

  #send(from: Node, to: Node, content: Request | Job | string | number, event: Event) {
    const number = ++this.#messages
    const fate = this.#fates.get(number)
    const tookMs = 1 + (this.#random ? Math.floor(8 * this.#random()) : 0) + (fate?.fate === 'late' ? fate.ms : 0)
    this.#carry(from, to, content, event, tookMs, fate?.fate === 'lost')
    if (fate?.fate === 'doubled') this.#carry(from, to, content, event, tookMs + fate.ms, false)
  }

  #carry(from: Node, to: Node, content: Request | Job | string | number, event: Event, tookMs: number, lost: boolean) {
    const arrivesMs = this.#now + tookMs
    const why = lost
      ? 'lost'
      : this.#isCutOff(from, to, this.#now) || this.#isCutOff(from, to, arrivesMs)
        ? 'cut off'
        : ''
    let message: Message | undefined
    if (this.#record) {
      message = { kind: 'message', from, to, text: describe(content), sentMs: this.#now, arrivesMs }
      if (why) message.lost = why
      this.#history.push(message)
    }
    if (why === '') this.#schedule(arrivesMs, event, to, message)
  }

  #isDown(node: Node) {
    return (this.#downUntil.get(node) ?? 0) > this.#now
  }

  #isCutOff(from: Node, to: Node, atMs: number) {
    return (this.#cutOffUntil.get(from) ?? 0) > atMs || (this.#cutOffUntil.get(to) ?? 0) > atMs
  }

  #strike({ node: index, fate, ms }: Scenario['nodes'][number]) {
    const node = nodes[index] ?? 'front'
    if (this.#record) {
      const texts = { crash: `crashes for ${ms} ms`, partition: `is cut off for ${ms} ms`, clock: `clock ${ms} ms off` }
      this.#history.push({ kind: 'node', node, text: texts[fate], atMs: this.#now })
    }
    if (fate === 'clock') this.#clockOffset.set(node, ms)
    else if (fate === 'partition') this.#cutOffUntil.set(node, this.#now + ms)
    else {
      this.#downUntil.set(node, this.#now + ms)
      for (const task of this.#tasks.get(node) ?? []) task.waitsFor = 0
      this.#tasks.get(node)?.clear()
      this.#schedule(this.#now + ms, { do: 'restart', node })
    }
  }
}

/** What a message says, for readers. */
function describe(content: Request | Job | string | number): string {
  if (typeof content !== 'object') return String(content)
  if ('delivery' in content && !('do' in content))
    return `${content.stage} of ${content.order.id}, delivery ${content.delivery}`
  if (content.do === 'end') return content.outcome.done ? `done ${content.order}` : `again ${content.order}`
  const { effect } = content
  switch (effect.do) {
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

/** Runs a scenario to its end. The same scenario has the same run. */
export function simulate(
  scenario: Scenario,
  { bug, record = false }: { bug?: Bug | undefined; record?: boolean } = {},
): Run {
  return new Simulation(scenario, bug, record).run()
}

/** A history as text, a line for each happening, in the order in which they began. */
export function historyText(history: readonly Happening[]): string {
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
