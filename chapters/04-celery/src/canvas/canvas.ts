/**
 * Tasks combined into larger work, like Celery's canvas: a group runs side by side, a chain one after the other, and a
 * chord waits for a group and continues with its results.
 *
 *     const sums = group([signature(add, { a: 1, b: 2 }), signature(add, { a: 3, b: 4 })])
 *     const total = chord(sums, step(sum, 'numbers'))
 *     await (await apply(client, total)).get({ timeoutMs: 5_000 })               // 10
 *
 * This file is the language of canvases: it describes them and sends nothing. `apply` of plan.ts sends them.
 */
import type { z } from 'zod'
import type { TaskError } from '../queue/message.ts'
import type { SendOptions, Signature, Task } from '../queue/task.ts'

/** A task that lacks one argument, `into`: the result of its predecessor. */
export interface Step<In, Out> extends Signature<Out> {
  into: string
  /** Only for the type: which results it can take. */
  accepts?: (value: In) => void
}

/** A canvas with one result. */
export type Single<R = unknown> = Signature<R> | Chain<R>

/** Members that run side by side. The result is the list of their results, in their order. */
export interface Group<R = unknown> {
  kind: 'group'
  members: Single<R>[]
}

/** Parts that run one after the other. The result is that of the last part. */
export interface Chain<R = unknown> {
  kind: 'chain'
  parts: (Single | Group)[]
  onFailure: OnFailure
  /** Only for the type. */
  result?: R
}

/**
 * What happens to a job that waits for others when one of them has failed for good, with BullMQ's names:
 * - `fail` (failParentOnFailure): it fails too, and so does everything above it. As in Celery.
 * - `ignore` (ignoreDependencyOnFailure): it runs when the others have ended, with null in place of the missing result.
 * - `continue` (continueParentOnFailure): it runs at once, with null in place of all missing results. Others that have
 *   not begun are removed, and the job ends after those that run.
 * - `remove` (removeDependencyOnFailure): like `ignore`, but the job cannot ask for the error.
 * - `wait` (BullMQ's default): it waits for ever.
 */
export type OnFailure = 'fail' | 'ignore' | 'continue' | 'remove' | 'wait'

/** A task whose argument `into` will be the result of its predecessor. */
export function step<S extends z.ZodType, K extends keyof z.input<S> & string, R>(
  task: Task<S, R>,
  into: K,
  ...[rest, options]: Record<never, never> extends Omit<z.input<S>, K>
    ? [rest?: Omit<z.input<S>, K>, options?: SendOptions]
    : [rest: Omit<z.input<S>, K>, options?: SendOptions]
): Step<z.input<S>[K], R> {
  return { task, args: rest ?? {}, into, ...(options && { options }) }
}

/** Side by side; the result is the list of the members' results. */
export function group<R>(members: readonly Single<R>[]): Group<R> {
  return { kind: 'group', members: [...members] }
}

/** One after the other. A step gets the result of its predecessor; a complete signature does not. */
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
/** For longer chains, and chains with groups inside: here only the schemas, in the workers, check the arguments. */
export function chain<R = unknown>(...parts: (Single | Group)[]): Chain<R>
export function chain(...parts: (Single | Group)[]): Chain {
  return { kind: 'chain', parts, onFailure: 'fail' }
}

/** A group, then a step that gets the list of its results: without null, if `onFailure` is `fail`. */
export function chord<A, R>(
  header: Group<A>,
  body: Step<A[], R> | Step<(A | null)[], R> | Signature<R>,
  { onFailure = 'fail' }: { onFailure?: OnFailure } = {},
): Chain<R> {
  return { kind: 'chain', parts: [header, body], onFailure }
}

/**
 * One message that runs the task for each of the arguments, one after the other; the result is the list of results. The
 * task's time limits hold for the whole list, and the list counts as one start for its rate.
 */
export function starmap<S extends z.ZodType, R>(
  task: Task<S, R>,
  argsList: readonly z.input<S>[],
  options?: SendOptions,
): Signature<R[]> {
  // The type says what the worker makes of it: a list of the task's results.
  const mapped = task as unknown as Task<z.ZodType, R[]>
  return { task: mapped, args: [...argsList], map: true, ...(options && { options }) }
}

/** A group of starmaps with `size` arguments each, for tasks too short to be worth a message; gives a list of lists. */
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

/** Sends other tasks, with the result, after the first one has succeeded. They are not part of its result. */
export function link<R>(first: Signature<R>, ...others: (Step<R, unknown> | Signature)[]): Signature<R> {
  return { ...first, links: [...(first.links ?? []), ...others] }
}

/**
 * Sends other tasks, with the error, when a task has failed for good; for a chain or group, when any of its tasks has.
 * As in Celery, they are not sent for a task that was revoked or expired before it began, or that lost its workers too
 * often.
 */
export function linkError<C extends Single | Group>(what: C, ...others: (Step<TaskError, unknown> | Signature)[]): C {
  if (!('kind' in what)) return { ...what, errorLinks: [...(what.errorLinks ?? []), ...others] }
  return what.kind === 'group'
    ? { ...what, members: what.members.map((member) => linkError(member, ...others)) }
    : { ...what, parts: what.parts.map((part) => linkError(part, ...others)) }
}

/** Tells a group from a canvas with one result. */
export const isGroup = (part: Single | Group): part is Group => 'kind' in part && part.kind === 'group'
