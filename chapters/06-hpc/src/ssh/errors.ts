/** What can go wrong with a host. Each message names the host, and none contains a key or a passphrase. */
import { type Command, commandLine } from './quote.ts'

/** There is no connection: the host is unreachable, is not the one it should be, or does not let the user in. */
export class ConnectError extends Error {
  override name = 'ConnectError'
  readonly reason: 'unreachable' | 'host key' | 'authentication'
  constructor(host: string, reason: ConnectError['reason'], what: string, options?: ErrorOptions) {
    super(`${host}: ${what}`, options)
    this.reason = reason
  }
}

/** The connection was lost during an operation. */
export class ConnectionLostError extends Error {
  override name = 'ConnectionLostError'
  /**
   * `not started`: the host never got the command. `unknown`: the command may have run, may still be running, or may
   * never run. The caller must look for its effects before repeating it.
   */
  readonly outcome: 'not started' | 'unknown'
  constructor(host: string, what: string, outcome: ConnectionLostError['outcome'], cause?: unknown) {
    const meaning = outcome === 'unknown' ? 'whether it was done is unknown' : 'it was not begun'
    super(`${host}: the connection was lost during ${what}; ${meaning}`, cause === undefined ? undefined : { cause })
    this.outcome = outcome
  }
}

/** How a command ended. */
export interface CommandResult {
  /** 0 to 255; above 128 for a command that a signal ended. */
  code: number
  /** The signal's name, such as `SIGKILL`. */
  signal?: string
  stdout: string
  stderr: string
}

/** A command ended with a code other than 0. */
export class CommandError extends Error {
  override name = 'CommandError'
  readonly code: number
  readonly stdout: string
  readonly stderr: string
  constructor(host: string, command: Command, { code, signal, stdout, stderr }: CommandResult) {
    const said = (stderr.trim() || stdout.trim()).replaceAll(/\s+/g, ' ').slice(0, 300)
    const ended = signal ? `was ended by ${signal}` : `ended with code ${code}`
    super(`${host}: ${shown(command)} ${ended}${said === '' ? '' : `: ${said}`}`)
    this.code = code
    this.stdout = stdout
    this.stderr = stderr
  }
}

/** A command as people type it, truncated if it is long. */
export function shown(command: Command): string {
  const line = commandLine(command)
  return line.length > 120 ? `${line.slice(0, 119)}…` : line
}
