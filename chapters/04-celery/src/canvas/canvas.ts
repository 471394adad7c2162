/**
 * Tasks put together into larger work, as Celery's canvas: a group runs side by side, a chain one after the other, a chord
 * waits for a group and goes on with its results.
 *
 *     const total = chord(group([signature(add, { a: 1, b: 2 }), signature(add, { a: 3, b: 4 })]), step(sum, 'numbers'))
 *     await (await apply(client, total)).get({ timeoutMs: 5_000 })               // 10
 *
 * A chain or chord becomes a flow of BullMQ: a tree in which a job waits for its children. It is stored in one step, so
 * it goes on when whoever sent it has gone. In such a tree a job has one parent; therefore a group after a task is not stored
 * with the rest: the task's worker adds it, as it does with `link` and `linkError`.
 *
 * When a task of a flow fails, what is above it fails too, and does not run; see `OnFailure` for other ways.
 */
import { FlowProducer } from 'bullmq'
import type { z } from 'zod'
import type { Client, JobToAdd } from '../queue/client.ts'
import { TaskFailed } from '../queue/errors.ts'
import { gather, type TaskResult, type WaitOptions } from '../queue/results.ts'
import type { SendOptions, Signature, Task } from '../queue/task.ts'
import type { CanvasPart, Link, TaskError } from './message.ts'

/** A task that lacks one argument, `into`: the result of what is before it. */
export interface Step<In, Out> extends Signature<Out> {
  into: string
  /** Only for the type: what it can take. */
  accepts?: (value: In) => void
}

/** What ends with one result. */
export type Single<R = unknown> = Signature<R> | Chain<R>

/** What runs side by side and ends with a list of results, in the order of the members. */
export interface Group<R = unknown> {
  kind: 'group'
  members: Single<R>[]
}

/** What runs one after the other; the last one's result is the chain's. */
export interface Chain<R = unknown> {
  kind: 'chain'
  parts: (Single | Group)[]
  onFailure: OnFailure
  /** Only for the type. */
  result?: R
}

/**
 * What happens to a job that waits for others, when one of them has failed for good; in BullMQ's words:
 * - `fail` (failParentOnFailure): it fails too, and so does what is above it. As in Celery.
 * - `ignore` (ignoreDependencyOnFailure): it runs when the others are done, with null in place of the result.
 * - `continue` (continueParentOnFailure): it runs at once, with null in place of all results that are not there. Those of the
 *   others that have not begun are removed, and it ends when those that run have.
 * - `remove` (removeDependencyOnFailure): as ignore, and nothing says in its place that and why something failed.
 * - `wait` (BullMQ's default): it waits for ever.
 */
export type OnFailure = 'fail' | 'ignore' | 'continue' | 'remove' | 'wait'

const optionFor: Record<OnFailure, object> = {
  fail: { failParentOnFailure: true },
  ignore: { ignoreDependencyOnFailure: true },
  continue: { continueParentOnFailure: true },
  remove: { removeDependencyOnFailure: true },
  wait: {},
}

/** A task whose argument `into` will be the result of what comes before it. */
export function step<S extends z.ZodType, K extends keyof z.input<S> & string, R>(
  task: Task<S, R>,
  into: K,
  ...[rest, options]: Record<never, never> extends Omit<z.input<S>, K>
    ? [rest?: Omit<z.input<S>, K>, options?: SendOptions]
    : [rest: Omit<z.input<S>, K>, options?: SendOptions]
): Step<z.input<S>[K], R> {
  return { task, args: rest ?? {}, into, ...(options && { options }) }
}

export function group<R>(members: readonly Single<R>[]): Group<R> {
  return { kind: 'group', members: [...members] }
}

/** One after the other; each step gets the result of the one before, a signature that lacks nothing does not. */
export function chain<A, B>(first: Single<A>, second: Step<A, B> | Signature<B>): Chain<B>
export function chain<A, B, C>(
  first: Single<A>,
  second: Step<A, B> | Signature<B>,
  third: Step<B, C> | Signature<C>,
): Chain<C>
export function chain<A, B, C, D>(
  first: Single<A>,
  second: Step<A, B> | Signature<B>,
  third: Step<B, C> | Signature<C>,
  fourth: Step<C, D> | Signature<D>,
): Chain<D>
/** With groups in it, or longer ones: what fits what is checked by the tasks' schemas in the workers. */
export function chain<R = unknown>(...parts: (Single | Group)[]): Chain<R>
export function chain(...parts: (Single | Group)[]): Chain {
  return { kind: 'chain', parts, onFailure: 'fail' }
}

/** A group, and a step that gets the list of its results. Only with `onFailure` other than `fail` can there be null in it. */
export function chord<A, R>(
  header: Group<A>,
  body: Step<A[], R> | Step<(A | null)[], R> | Signature<R>,
  { onFailure = 'fail' }: { onFailure?: OnFailure } = {},
): Chain<R> {
  return { kind: 'chain', parts: [header, body], onFailure }
}

/**
 * One message that has the task run for each of the arguments, one after the other; the result is the list of results. Its
 * time limits are those of the whole list, and so is the place that it takes in a rate.
 */
export function starmap<S extends z.ZodType, R>(
  task: Task<S, R>,
  argsList: readonly z.input<S>[],
  options?: SendOptions,
): Signature<R[]> {
  // What is sent is the task itself; the list around its result is made by the worker.
  const mapped = task as unknown as Task<z.ZodType, R[]>
  return { task: mapped, args: [...argsList], map: true, ...(options && { options }) }
}

/** A group of starmaps with `size` arguments each, for tasks too short to be worth a message: a list of lists of results. */
export function chunks<S extends z.ZodType, R>(
  task: Task<S, R>,
  argsList: readonly z.input<S>[],
  size: number,
  options?: SendOptions,
): Group<R[]> {
  if (!Number.isInteger(size) || size < 1) {
    throw new RangeError(`chunks of ${task.name}: received a size of ${size}; accepts a whole number from 1`)
  }
  const parts = Array.from({ length: Math.ceil(argsList.length / size) }, (_, at) =>
    starmap(task, argsList.slice(at * size, (at + 1) * size), options),
  )
  return group(parts)
}

/** A task after whose success others are sent, with its result. They are no part of the result, and their failure is not its. */
export function link<R>(first: Signature<R>, ...others: (Step<R, unknown> | Signature)[]): Signature<R> {
  return { ...first, links: [...(first.links ?? []), ...others] }
}

/**
 * Has others sent when a task has failed for good, with what went wrong; in a chain or group when any task has. Not called,
 * as in Celery, for a task that was revoked or has expired before it began, and for one that lost its workers too often.
 */
export function linkError<C extends Single | Group>(what: C, ...others: (Step<TaskError, unknown> | Signature)[]): C {
  if (!('kind' in what)) return { ...what, errorLinks: [...(what.errorLinks ?? []), ...others] }
  return what.kind === 'group'
    ? { ...what, members: what.members.map((member) => linkError(member, ...others)) }
    : { ...what, parts: what.parts.map((part) => linkError(part, ...others)) }
}

/** A canvas that was sent. */
export interface CanvasResult<R, Root = R> {
  /** The tasks whose results are the canvas's: one, or a group's. */
  roots: TaskResult<Root>[]
  /** All its tasks, in the order in which the canvas names them. */
  tasks: TaskResult[]
  /** What follows by `link` and `linkError`: in Redis only once its time has come. */
  linked: TaskResult[]
  /**
   * Waits for the result.
   *
   * @throws what the task threw that failed first, not what became of those above it; else as `TaskResult.get`
   */
  get: (options?: WaitOptions) => Promise<R>
}

/**
 * Sends a canvas: all of it or nothing.
 *
 * @throws RangeError for one that cannot be run, before anything is sent; else as `Client.send`
 */
export async function apply<R>(client: Client, canvas: Group<R>): Promise<CanvasResult<R[], R>>
export async function apply<R>(client: Client, canvas: Single<R>): Promise<CanvasResult<R>>
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
      const flows = new FlowProducer({ connection: client.redis, prefix: client.prefix })
      // A command that fails says so here.
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

/** BullMQ fails what is above a failed job with `child <key> failed`: down that way to the one that really failed. */
async function firstCause(error: unknown, byId: ReadonlyMap<string, TaskResult>): Promise<unknown> {
  const key = error instanceof TaskFailed && /^UnrecoverableError: child (\S+) failed$/.exec(error.message)?.[1]
  const child = key && [...byId.values()].find(({ id, queue }) => key.endsWith(`:${queue}:${id}`))
  if (!child) return error
  const outcome = await child.settled()
  return outcome.ok ? error : await firstCause(outcome.error, byId)
}

/** A job with those it waits for: what FlowProducer takes. */
interface Node extends JobToAdd {
  children: Node[]
}

/** Turns a canvas into nodes; nothing is sent. */
class Plan {
  /** All jobs of the canvas, the ones that are added by a worker later, and what is linked. */
  readonly jobs: JobToAdd[] = []
  readonly later = new Set<string>()
  readonly linked: JobToAdd[] = []
  readonly #client: Client

  constructor(client: Client) {
    this.#client = client
  }

  /** The node of what ends with one result. */
  single(canvas: Single): Node {
    if (!('kind' in canvas)) {
      if (canvas.into !== undefined) {
        throw new RangeError(
          `${canvas.task.name}: its argument "${canvas.into}" is to come from the step before, and there is none`,
        )
      }
      return this.#node(canvas)
    }
    const { parts, onFailure } = canvas
    const [first, ...rest] = parts
    if (!first) throw new RangeError('a chain of nothing')
    let before = this.#all(first)
    let isList = isGroup(first)
    for (let at = 0; at < rest.length; at++) {
      const part = rest[at] as Single | Group
      if (isGroup(part)) {
        const after = rest[++at]
        const [only] = before
        if (isList || !only || !after || 'kind' in after) {
          throw new RangeError('a group inside a chain comes after one task, and before one that takes its results')
        }
        before = [this.#fanOut(only, part, after, onFailure)]
      } else {
        if ('kind' in part) throw new RangeError('a chain inside a chain: write its parts where it stands')
        const node = this.#above(before, part, onFailure)
        if (part.into !== undefined) this.#takes(node, part.into, before, isList)
        before = [node]
      }
      isList = false
    }
    const [root] = before
    if (!root || isList)
      throw new RangeError('a chain ends with a task: a group at its end needs one that takes its results')
    return root
  }

  #all(part: Single | Group): Node[] {
    if (!isGroup(part)) return [this.single(part)]
    if (part.members.length === 0) throw new RangeError('a chord of an empty group: nothing would ever start its body')
    return part.members.map((member) => this.single(member))
  }

  /** A node that waits for others. */
  #above(children: Node[], part: Signature, onFailure: OnFailure): Node {
    const node = this.#node(part)
    inItsTurn(node, part)
    node.children = children
    for (const { opts } of children) Object.assign(opts, optionFor[onFailure])
    if (onFailure === 'continue') canvasPart(node).early = true
    return node
  }

  /** A task, then a group of steps that its worker adds below `after`, which waits for the task and so cannot begin before. */
  #fanOut(before: Node, { members }: Group, after: Signature, onFailure: OnFailure): Node {
    const root = this.#above([before], after, onFailure)
    const parent = { id: root.opts.jobId ?? '', queue: `${this.#client.prefix}:${root.queueName}` }
    const jobs = members.map((member) => {
      if ('kind' in member) throw new RangeError('a group inside a chain consists of single tasks')
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
      throw new RangeError(`${what.task.name}: a task of a canvas has no idempotency key: it is there once in any case`)
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

const isGroup = (part: Single | Group): part is Group => 'kind' in part && part.kind === 'group'

/** BullMQ begins to count a delay when the job's turn has come: right for a countdown, not for a moment. */
function inItsTurn({ data, opts }: JobToAdd, { options = {} }: Signature) {
  if (!options.eta) return
  delete opts.delay
  data.notBefore = options.eta.getTime()
}

/** What a worker adds when its turn has come: it expires so long after that. */
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
