/** Ends a program in order when it is interrupted. */
import { after } from '../async/timer.ts'
import { describeError } from './usage.ts'

const signalExitCodes = { SIGINT: 130, SIGTERM: 143 } as const
const usualDeadlineMs = 10_000
/** A program that may take long to clean up says so after this time. */
const noticeMs = 2_000

export interface Interruption {
  signal: AbortSignal
  /** The exit code that belongs to the interruption; undefined before one. */
  exitCode: number | undefined
  stopListening: () => void
}

/**
 * Turns Ctrl-C, SIGTERM, a closed output pipe and uncaught errors into an AbortSignal and an exit code. After a second
 * Ctrl-C, or when the work does not stop within the deadline, the process ends at once.
 */
export function listenForSignals(deadlineMs = usualDeadlineMs): Interruption {
  const controller = new AbortController()
  const state: Interruption = { signal: controller.signal, exitCode: undefined, stopListening }

  function interrupt(exitCode: number, reason: Error) {
    if (state.exitCode !== undefined) return
    state.exitCode = exitCode
    // For a `run` that never settles: the process then ends because there is nothing left to wait for.
    process.exitCode = exitCode
    controller.abort(reason)
    if (deadlineMs > usualDeadlineMs) {
      setTimeout(() => {
        process.stderr.write('cleaning up; a second Ctrl-C exits at once and leaves the rest behind\n')
      }, noticeMs).unref()
    }
    after(deadlineMs, () => {
      process.stderr.write(`error: the work did not stop within ${deadlineMs / 1000} s after ${reason.message}\n`)
      process.exit(exitCode)
    }).unref()
  }
  function onSignal(name: NodeJS.Signals) {
    const exitCode = signalExitCodes[name as keyof typeof signalExitCodes]
    if (state.exitCode !== undefined) process.exit(exitCode)
    interrupt(exitCode, new Error(name))
  }
  // Thrown outside of what `run` awaits, for example by a worker that fails before its first task.
  function onUncaught(error: Error) {
    if (state.exitCode === undefined) process.stderr.write(`${describeError(error)}\n`)
    interrupt(1, error)
  }

  for (const name of Object.keys(signalExitCodes)) process.on(name, onSignal)
  process.on('uncaughtException', onUncaught)
  watchOutput((exitCode, reason) => {
    if (exitCode !== 0 && state.exitCode === undefined) process.stderr.write(`${describeError(reason)}\n`)
    interrupt(exitCode, reason)
  })
  function stopListening() {
    for (const name of Object.keys(signalExitCodes)) process.off(name, onSignal)
    process.off('uncaughtException', onUncaught)
  }
  return state
}

/**
 * Calls a function when standard output cannot be written, with the exit code that this means. Without it, Node would end
 * the program with a stack trace. What cannot be written to standard error is lost, and the program goes on.
 */
export function watchOutput(onFailure: OnOutputFailure): void {
  if (onOutputFailure === undefined) {
    process.stderr.on('error', () => {})
    process.stdout.on('error', (error: NodeJS.ErrnoException) => {
      // `… | head -1` closes the pipe after its line: nobody reads the rest.
      if (error.code === 'EPIPE') onOutputFailure?.(0, new Error('the output was closed'))
      else onOutputFailure?.(1, new Error('standard output cannot be written', { cause: error }))
    })
  }
  onOutputFailure = onFailure
}

type OnOutputFailure = (exitCode: number, reason: Error) => void
/** The last one that was given. It is still needed when `main` has returned: an error is reported after the write. */
let onOutputFailure: OnOutputFailure | undefined

/** Sets the exit code and says why, if that is an error. */
export function endWith(exitCode: number, reason: Error): void {
  process.exitCode = exitCode
  if (exitCode !== 0) process.stderr.write(`${describeError(reason)}\n`)
}
