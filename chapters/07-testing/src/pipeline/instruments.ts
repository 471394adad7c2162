/**
 * How logs, traces and metrics get into the pipeline's processes. The pipeline knows nothing about them. Each process
 * loads a module (`instruments` of `startPipeline`) before anything else, and calls what it exports.
 */
import { randomUUID } from 'node:crypto'
import type { Telemetry } from 'bullmq'
import type { Hono } from 'hono'

/** Something that a process does and that takes time. */
export interface Step {
  /** A request to the front, a job of a worker, or an effect (`charge`, `take` …) within one of these. */
  kind: 'request' | 'job' | 'effect'
  /** `POST /orders`, the stage of the worker, or the name of the effect. */
  name: string
  order?: string | undefined
  /** From the header `x-correlation-id`, or made by the front. It is the same in all processes. */
  correlation?: string | undefined
  /** For a job: the number of this delivery, from 1. */
  delivery?: number
  /** For a request: the client's trace, and what it says about it, from the W3C headers of these names. */
  traceparent?: string | undefined
  baggage?: string | undefined
}

/** The part of a pino logger that the pipeline uses. */
export type Log = Record<'debug' | 'info' | 'warn' | 'error', (about: object, message: string) => void>

export interface Instruments {
  log?: Log
  /** For BullMQ's queues and workers, such as `new BullMQOtel(…)`. */
  telemetry?: Telemetry
  /** Wraps each step. It must call `run` once and return the result. */
  around?: <T>(step: Step, run: () => Promise<T>) => Promise<T>
  /** Adds routes or middleware to the front, before its own. */
  routes?: (app: Hono) => void
  /** Awaited on a graceful shutdown. */
  close?: () => Promise<void>
}

export interface Identity {
  /** `front`, `payment 1`, `shipping 2` … */
  name: string
  kind: 'front' | 'payment' | 'shipping'
  /** The wall clock of the process, in ms. It is wrong if the process was told to set it wrong. */
  now: () => number
  /** All keys of the pipeline in Redis begin with it. */
  prefix: string
}

/** The default export of an instrument module. */
export type Instrument = (identity: Identity) => Instruments | Promise<Instruments>

const silent: Log = { debug() {}, info() {}, warn() {}, error() {} }

/** Loads the module. Without one, nothing is logged or measured. */
export async function loadInstruments(url: string | undefined, identity: Identity) {
  const given = url === undefined ? {} : await ((await import(url)) as { default: Instrument }).default(identity)
  const around: NonNullable<Instruments['around']> = given.around ?? ((_step, run) => run())
  return { log: silent, ...given, around }
}

/**
 * Returns the correlation id that a client has given its request, or a new one. Any stranger may send any text, and each
 * line about the order repeats it: one that would fill or disturb a log is replaced. It is no reason to refuse an order.
 */
export const correlationOf = (given: string | undefined): string =>
  given !== undefined && /^[!-~]{1,64}$/.test(given) ? given : randomUUID()
