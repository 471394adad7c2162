/** What a message carries beside its arguments when its task is part of a canvas. Data, and checked as such in the worker. */
import { z } from 'zod'

/** A job to be added later, by the worker that ends the task before it. */
const link = z.object({
  queueName: z.string(),
  name: z.string(),
  /** Its message; checked by the worker that runs it. */
  data: z.looseObject({ args: z.unknown(), version: z.int() }),
  opts: z.looseObject({ jobId: z.string() }),
  /** Which of its arguments is the result, or the error. */
  into: z.string().optional(),
})
export type Link = z.infer<typeof link>

export const canvasSchema = z.object({
  /** `args` is a list, and the task is run for each of them. */
  map: z.literal(true).optional(),
  /** One argument is the result of the jobs with these ids, its children in a flow; with `all` the list of their results. */
  takes: z.object({ into: z.string(), from: z.array(z.string()), all: z.boolean() }).optional(),
  /** It may run while others below it in its flow have not ended; see `continue` in canvas.ts. */
  early: z.literal(true).optional(),
  /** Added when the task has succeeded, and when it has failed for good. */
  links: z.array(link).optional(),
  errorLinks: z.array(link).optional(),
})
export type CanvasPart = z.infer<typeof canvasSchema>

/** What the task behind `linkError` gets: which task failed, and how. */
export const taskErrorSchema = z.object({
  id: z.string(),
  task: z.string(),
  name: z.string(),
  message: z.string(),
  stack: z.string(),
})
export type TaskError = z.infer<typeof taskErrorSchema>
