/**
 * Where logs, traces and metrics are put into the pipeline's processes. The pipeline knows none of them: it is handed a
 * module (`instruments` of `startPipeline`) that each process loads before all else, and calls what that exports.
 */
import type { Telemetry } from 'bullmq'
import type { Hono } from 'hono'

/** Something that a process does and that takes time. */
export interface Step {
  /** A request of the front, a job of a worker, an effect in the store (`charge`, `take` …) within one of these. */
  kind: 'request' | 'job' | 'effect'
  /** `POST /orders`, the worker's stage, or the effect's name. */
  name: string
  order?: string | undefined
  /** From the header `x-correlation-id`, or made by the front; the same in all processes. */
  correlation?: string | undefined
  /** Of a job: the how manieth delivery this is, from 1. */
  delivery?: number
  /** Of a request: the trace that the client says it is part of, as the W3C's header of this name has it. */
  traceparent?: string | undefined
}

/** The part of a pino logger that is used. */
export type Log = Record<'debug' | 'info' | 'warn' | 'error', (about: object, message: string) => void>

export interface Instruments {
  log?: Log
  /** For BullMQ's queues and workers, such as `new BullMQOtel(…)`. */
  telemetry?: Telemetry
  /** Surrounds each step: must call `run` once and return what it returns. */
  around?: <T>(step: Step, run: () => Promise<T>) => Promise<T>
  /** Adds routes to the front before its own, such as /metrics or a middleware. */
  routes?: (app: Hono) => void
  /** Awaited when the process ends in order. */
  close?: () => Promise<void>
}

export interface Identity {
  /** `front`, `payment 1`, `shipping 2` … */
  name: string
  kind: 'front' | 'payment' | 'shipping'
  /** The process's wall clock in ms, wrong if it is told to be. */
  now: () => number
}

/** What a module of instruments exports as `default`. */
export type Instrument = (identity: Identity) => Instruments | Promise<Instruments>

const silent: Log = { debug() {}, info() {}, warn() {}, error() {} }

/** Loads the module, or what does nothing when there is none. */
export async function loadInstruments(url: string | undefined, identity: Identity) {
  const given = url === undefined ? {} : await ((await import(url)) as { default: Instrument }).default(identity)
  const around: NonNullable<Instruments['around']> = given.around ?? ((_step, run) => run())
  return { log: silent, ...given, around }
}
