/**
 * Sends a canvas: plans its jobs, stores them, and waits for its result.
 *
 * A chain or chord becomes a BullMQ flow: a tree in which a job waits for its children. It is stored in one step, so it
 * continues even when its sender is gone. A job in such a tree has only one parent. So a group after a task cannot be
 * stored with the rest: the task's worker adds it, as it adds the tasks of `link` and `linkError` (worker/canvas.ts).
 *
 * When a task of a flow fails, everything above it fails too, and does not run; `OnFailure` lists other ways.
 */
import { FlowProducer } from 'bullmq'
import type { Client, JobToAdd } from '../queue/client.ts'
import { TaskFailed } from '../queue/errors.ts'
import type { CanvasPart, Link } from '../queue/message.ts'
import { gather, type TaskResult, type WaitOptions } from '../queue/results.ts'
import type { Signature } from '../queue/task.ts'
import { type Group, isGroup, type OnFailure, type Single } from './canvas.ts'

/** A canvas that was sent. */
export interface CanvasResult<R, Root = R> {
  /** The tasks that give the canvas its result: one, or the members of a group. */
  roots: TaskResult<Root>[]
  /** All its tasks, in the order in which the canvas names them. */
  tasks: TaskResult[]
  /** The tasks of `link` and `linkError`; each is in Redis only after the task before it. */
  linked: TaskResult[]
  /**
   * Waits for the result.
   *
   * @throws what the failed task threw, not the failure of the tasks above it; else like `TaskResult.get`
   */
  get: (options?: WaitOptions) => Promise<R>
}

/**
 * Sends a canvas: all of it or nothing.
 *
 * @throws RangeError for a canvas that cannot be run, before anything is sent; else like `Client.send`
 */
export async function apply<R>(client: Client, canvas: Group<R>): Promise<CanvasResult<R[], R>>
export async function apply<R>(client: Client, canvas: Single<R>): Promise<CanvasResult<R>>
export async function apply(client: Client, canvas: Single | Group): Promise<CanvasResult<unknown>>
export async function apply(client: Client, canvas: Single | Group): Promise<CanvasResult<unknown>> {
  const plan = new Plan(client)
  const isList = isGroup(canvas)
  const roots = isGroup(canvas) ? canvas.members.map((member) => plan.single(member)) : [plan.single(canvas)]
  const resultsOf = (jobs: readonly JobToAdd[]) => jobs.map((job) => client.resultOf(job))
  const tasks = resultsOf(plan.jobs)
  const byId = new Map(tasks.map((result) => [result.id, result]))
  await client.expecting(
    tasks.filter(({ id, ignored }) => !ignored && !plan.later.has(id)),
    async () => {
      const flows = refusing(new FlowProducer({ connection: client.redis, prefix: client.prefix }))
      // A failing command reports it here.
      flows.on('error', () => {})
      try {
        await flows.addBulk(roots)
      } finally {
        await flows.close()
      }
    },
  )
  const rootResults = roots.map(({ opts }) => byId.get(opts.jobId ?? '') as TaskResult)
  return {
    roots: rootResults,
    tasks,
    linked: resultsOf(plan.linked),
    async get(options = {}) {
      try {
        const values = await gather(rootResults, options)
        return isList ? values : values[0]
      } catch (error) {
        throw await firstCause(error, byId)
      }
    },
  }
}

/**
 * BullMQ takes no notice of what Redis answers for the single jobs of a flow. A read-only replica, for one, refuses each
 * of them: nothing is stored, and the sender would wait for it.
 */
function refusing(flows: FlowProducer): FlowProducer {
  const backend = flows.getBackend()
  const addFlow = backend.addFlow.bind(backend)
  backend.addFlow = async (entries) => {
    const answers = await addFlow(entries)
    for (const [error] of answers) if (error) throw error
    return answers
  }
  return flows
}

/** BullMQ fails the jobs above a failed one with `child <key> failed`: follows the keys down to the original error. */
async function firstCause(error: unknown, byId: ReadonlyMap<string, TaskResult>): Promise<unknown> {
  const key = error instanceof TaskFailed && /^UnrecoverableError: child (.+) failed$/s.exec(error.message)?.[1]
  const child = key && [...byId.values()].find(({ id, queue }) => key.endsWith(`:${queue}:${id}`))
  if (!child) return error
  const outcome = await child.settled()
  return outcome.ok ? error : await firstCause(outcome.error, byId)
}

const optionFor: Record<OnFailure, object> = {
  fail: { failParentOnFailure: true },
  ignore: { ignoreDependencyOnFailure: true },
  continue: { continueParentOnFailure: true },
  remove: { removeDependencyOnFailure: true },
  wait: {},
}

/** A job with the jobs it waits for, as FlowProducer takes it. */
interface Node extends JobToAdd {
  children: Node[]
}

/** Turns a canvas into nodes, and sends nothing. */
class Plan {
  /** All jobs of the canvas. */
  readonly jobs: JobToAdd[] = []
  /** The ids of those that a worker adds later. */
  readonly later = new Set<string>()
  readonly linked: JobToAdd[] = []
  readonly #client: Client

  constructor(client: Client) {
    this.#client = client
  }

  /** The root of the tree for a canvas with one result. */
  single(canvas: Single): Node {
    if (!('kind' in canvas)) {
      if (canvas.into !== undefined) {
        throw new RangeError(
          `${canvas.task.name}: its argument "${canvas.into}" needs the result of a task before it, and it is the first`,
        )
      }
      return this.#node(canvas)
    }
    const { parts, onFailure } = canvas
    const [first, ...rest] = parts
    if (!first) throw new RangeError('the chain is empty')
    let before = this.#all(first)
    let isList = isGroup(first)
    for (let at = 0; at < rest.length; at++) {
      const part = rest[at] as Single | Group
      if (isGroup(part)) {
        const after = rest[++at]
        const [only] = before
        if (isList || !only || !after || 'kind' in after) {
          throw new RangeError(
            'a group inside a chain needs one task before it, and one after it that takes its results',
          )
        }
        before = [this.#fanOut(only, part, after, onFailure)]
      } else {
        if ('kind' in part) throw new RangeError('a chain inside a chain: put its parts into the outer one')
        const node = this.#above(before, part, onFailure)
        if (part.into !== undefined) this.#takes(node, part.into, before, isList)
        before = [node]
      }
      isList = false
    }
    const [root] = before
    if (!root || isList) {
      throw new RangeError('a chain ends with a task: a group at its end needs one that takes its results')
    }
    return root
  }

  #all(part: Single | Group): Node[] {
    if (!isGroup(part)) return [this.single(part)]
    if (part.members.length === 0)
      throw new RangeError('a chord with an empty group: nothing would ever start its body')
    return part.members.map((member) => this.single(member))
  }

  /** A node that waits for its children. */
  #above(children: Node[], part: Signature, onFailure: OnFailure): Node {
    const node = this.#node(part)
    inItsTurn(node, part)
    node.children = children
    for (const { opts } of children) Object.assign(opts, optionFor[onFailure])
    if (onFailure === 'continue') canvasPart(node).early = true
    else canvasPart(node).after = true
    return node
  }

  /**
   * A task, then a group that the task's worker adds below `after`. Until then `after` waits for the task itself, so it
   * cannot begin too early.
   */
  #fanOut(before: Node, { members }: Group, after: Signature, onFailure: OnFailure): Node {
    const root = this.#above([before], after, onFailure)
    const parent = { id: root.opts.jobId ?? '', queue: `${this.#client.prefix}:${root.queueName}` }
    const jobs = members.map((member) => {
      if ('kind' in member) throw new RangeError('a group inside a chain may contain only single tasks')
      const { children: _, ...job } = this.#node(member)
      sentLater(job, member)
      Object.assign(job.opts, { parent, ...optionFor[onFailure] })
      this.later.add(job.opts.jobId ?? '')
      return { job, into: member.into }
    })
    const links = jobs.map(({ job, into }) => ({ ...(job as Link), ...(into !== undefined && { into }) }))
    const part = canvasPart(before)
    part.links = [...(part.links ?? []), ...links]
    const from = jobs.map(({ job }) => job)
    if (after.into !== undefined) this.#takes(root, after.into, from, true)
    return root
  }

  #takes(node: JobToAdd, into: string, from: readonly JobToAdd[], all: boolean) {
    canvasPart(node).takes = { into, from: from.map(({ opts }) => opts.jobId ?? ''), all }
  }

  #node(what: Signature): Node {
    const node = { ...this.#job(what), children: [] }
    this.jobs.push(node)
    return node
  }

  #job(what: Signature): JobToAdd {
    if (what.options?.idempotencyKey !== undefined) {
      throw new RangeError(
        `${what.task.name}: a task of a canvas cannot have an idempotency key, and needs none: it is sent once`,
      )
    }
    const job = this.#client.toJob(what)
    const { links = [], errorLinks = [] } = what
    if (links.length > 0) canvasPart(job).links = links.map((other) => this.#link(other))
    if (errorLinks.length > 0) canvasPart(job).errorLinks = errorLinks.map((other) => this.#link(other))
    return job
  }

  #link(what: Signature): Link {
    const job = this.#job(what)
    sentLater(job, what)
    this.linked.push(job)
    return { ...(job as Link), ...(what.into !== undefined && { into: what.into }) }
  }
}

/** BullMQ counts a delay from the job's turn in its flow: right for a countdown, wrong for a fixed moment. */
function inItsTurn({ data, opts }: JobToAdd, { options = {} }: Signature) {
  if (!options.eta) return
  delete opts.delay
  data.notBefore = options.eta.getTime()
}

/** For a job that a worker adds later: the time until it expires counts from then. */
function sentLater(job: JobToAdd, what: Signature) {
  inItsTurn(job, what)
  const expiresInMs = what.options?.expiresInMs ?? what.task.expiresInMs
  if (expiresInMs === undefined) return
  delete job.data.expiresAt
  job.data.expiresInMs = expiresInMs
}

function canvasPart({ data }: JobToAdd): CanvasPart {
  data.canvas ??= {}
  return data.canvas
}
