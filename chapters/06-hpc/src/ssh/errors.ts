/** What can go wrong on the way to a host; each message names the host, and none holds a key or a passphrase. */

import type { Command } from '../scheduler/scheduler.ts'
import { commandLine } from './quote.ts'

/** No connection: the host cannot be reached, is not who it should be, or does not let the user in. */
export class ConnectError extends Error {
  override name = 'ConnectError'
  readonly reason: 'unreachable' | 'host key' | 'authentication'
  constructor(host: string, reason: ConnectError['reason'], what: string, options?: ErrorOptions) {
    super(`${host}: ${what}`, options)
    this.reason = reason
  }
}

/** The connection was lost while something was under way. */
export class ConnectionLostError extends Error {
  override name = 'ConnectionLostError'
  /**
   * `not started`: the host never got the command. `unknown`: it may have run, be running still, or never run; the one who
   * asked has to look for its effects before asking again.
   */
  readonly outcome: 'not started' | 'unknown'
  constructor(host: string, what: string, outcome: ConnectionLostError['outcome'], cause?: unknown) {
    const meaning = outcome === 'unknown' ? 'whether it was done is unknown' : 'it was not begun'
    super(`${host}: the connection was lost during ${what}; ${meaning}`, cause === undefined ? undefined : { cause })
    this.outcome = outcome
  }
}

/** A command that ran and ended with another code than 0. */
export class CommandError extends Error {
  override name = 'CommandError'
  readonly code: number
  readonly stdout: string
  readonly stderr: string
  constructor(
    host: string,
    command: Command,
    result: { code: number; signal?: string; stdout: string; stderr: string },
  ) {
    const { code, signal, stdout, stderr } = result
    const said = (stderr.trim() || stdout.trim()).replaceAll(/\s+/g, ' ').slice(0, 300)
    const ended = signal ? `was ended by ${signal}` : `ended with code ${code}`
    super(`${host}: ${shown(command)} ${ended}${said === '' ? '' : `: ${said}`}`)
    this.code = code
    this.stdout = stdout
    this.stderr = stderr
  }
}

/** A command as one would type it, cut where it is long. */
export function shown(command: Command): string {
  const line = commandLine(command)
  return line.length > 120 ? `${line.slice(0, 119)}…` : line
}
