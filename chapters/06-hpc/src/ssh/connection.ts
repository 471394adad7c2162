/**
 * A connection to a cluster's login node: many commands, and files, over one SSH connection, which is re-established
 * when it is lost.
 *
 * What a lost connection means for a command: until the command has been sent to the host, nothing has happened, and
 * the command goes over the next connection. After that, and before its exit code has come back, nobody at this end can
 * know whether it ran. A command that only reads (`repeatable: true`) is run again. Any other is reported as unknown,
 * with a ConnectionLostError. The caller makes it safe by having the command leave a trace: a job is submitted with its
 * run's own name and folder, and what the queue and the folder show decides whether to submit it again. Jobs themselves
 * belong to the scheduler and do not notice.
 */
import { once } from 'node:events'
import { constants } from 'node:os'
import { PassThrough, type Readable, type Writable } from 'node:stream'
import { setTimeout as delay } from 'node:timers/promises'
import { requireMs, sleep } from '@repo/common/async/timer'
import type { ClientChannel, SFTPWrapper } from 'ssh2'
import { type HostSettings, parseTarget } from './config.ts'
import { CommandError, type CommandResult, ConnectError, ConnectionLostError, shown } from './errors.ts'
import { type RemoteFiles, remoteFiles } from './files.ts'
import { type Credentials, type Link, type LinkOptions, nameOf, openLink, settingsOf } from './link.ts'
import { type Command, commandLine, type Surroundings } from './quote.ts'
import { Sessions } from './sessions.ts'
import { type OverOptions, Sftp } from './sftp.ts'

export interface ConnectOptions extends Credentials {
  /** A name, an address, or a Host from the SSH configuration. */
  host: string
  // The options below override the SSH configuration.
  port?: number
  user?: string
  /** The only private keys to offer, before the agent's. */
  identityFile?: string | string[]
  /** The agent's socket; SSH_AUTH_SOCK by default; false for none. */
  agent?: string | false
  /** Instead of `~/.ssh/known_hosts` and the system's; false for none. */
  knownHostsFile?: string | false
  /** Instead of `~/.ssh/config` and the system's; false for none. */
  configFile?: string | false
  /**
   * Sessions (commands, shells, SFTP) open at once: 10, like sshd's MaxSessions. If the host allows fewer, the
   * connection finds out.
   */
  maxSessions?: number
  /**
   * Silence after which the host is sent a keepalive; after three without an answer the connection counts as lost; 10
   * s.
   */
  keepAliveMs?: number
  /** For connecting, with all jump hosts; 60 s, for busy login nodes. */
  connectTimeoutMs?: number
  /** How long to try to reconnect before the operations that wait for it fail; 60 s, 0 for a single attempt. */
  reconnectMs?: number
  /** Ends the connection, and the operations that wait for it. */
  signal?: AbortSignal | undefined
  /** Called when the connection is lost, and when it has been re-established. */
  onChange?: (change: 'lost' | 'connected again') => void
}

export interface RunOptions extends Surroundings {
  /** Standard input; empty by default. */
  input?: string | Uint8Array
  /** Whether the command may run twice: then it is run again after a lost connection. */
  repeatable?: boolean
  /** Ends the wait at once, and the command by SIGTERM where the host allows that: OpenSSH does, except for root. */
  signal?: AbortSignal | undefined
}

export interface StartOptions extends Surroundings {
  /** Gives the command a terminal of this size, and standard input. Standard error is then part of standard output. */
  terminal?: { columns: number; rows: number; type?: string }
  /** Ends it. */
  signal?: AbortSignal | undefined
}

/**
 * A running command. It ends when this is disposed of, and also when the connection is lost or this process is killed:
 * without a terminal, by SIGTERM once its hidden standard input ends; with a terminal, because that hangs up.
 */
export interface RemoteProcess extends AsyncDisposable {
  /** For a command with a terminal. */
  stdin: Writable
  /** Must be read to its end: otherwise the command blocks on a full window and never ends. */
  stdout: Readable
  stderr: Readable
  /** Rejects with a ConnectionLostError when nobody can say how the command ended. */
  exited: Promise<Exit>
  /** Ends the command; `exited` is settled once it has ended. */
  kill: () => void
  /** Tells the terminal a new size. */
  resize: (columns: number, rows: number) => void
}

export interface Connection extends RemoteFiles, AsyncDisposable {
  /** `user@host`, with the port where that is not 22. */
  readonly name: string
  /**
   * Runs a command and returns its exit code and what it printed, up to 64 MB.
   *
   * @throws a {@link ConnectionLostError} when the command may have run, a {@link ConnectError}, or the signal's reason
   */
  run: (command: Command, options?: RunOptions) => Promise<CommandResult>
  /**
   * Runs a command and returns its standard output.
   *
   * @throws a {@link CommandError} for any exit code but 0, and what `run` throws
   */
  output: (command: Command, options?: RunOptions) => Promise<string>
  /** Starts a command, and delivers its output as it arrives. */
  start: (command: Command, options?: StartOptions) => Promise<RemoteProcess>
}

/**
 * Connects to a host: `user@host`, `host:port`, the name of a Host from `~/.ssh/config`, or options.
 *
 * @throws a {@link ConnectError} that says what the host presented or refused, an Error for a configuration that
 * OpenSSH refuses, or the signal's reason
 */
export async function connect(to: string | ConnectOptions): Promise<Connection> {
  const options = typeof to === 'string' ? { host: to } : to
  const { signal, maxSessions = 10, reconnectMs = 60_000, onChange } = options
  const times = { reconnectMs, connectTimeoutMs: options.connectTimeoutMs, keepAliveMs: options.keepAliveMs }
  for (const [name, ms] of Object.entries(times)) if (ms !== undefined) requireMs(ms, name)
  if (!(maxSessions >= 1)) throw new RangeError(`maxSessions: received ${maxSessions}; accepts a number from 1 on`)
  const closing = new AbortController()
  const end = signal ? AbortSignal.any([signal, closing.signal]) : closing.signal
  const linkOptions = { keepAliveMs: 10_000, connectTimeoutMs: 60_000, ...options, signal: end }
  const begun = performance.now()
  const settings = await chosenSettings(options, linkOptions)
  const name = nameOf(settings)

  let current: Promise<Open> | undefined
  async function open(begun?: number): Promise<Open> {
    const link = await openLink(settings, linkOptions, begun)
    const opened = new Open(name, link, maxSessions)
    void link.closed.then(() => {
      if (end.aborted) return
      current = undefined
      onChange?.('lost')
    })
    return opened
  }

  /**
   * Reconnects, less and less often, for as long as that may help: a host that refuses the key will do so again.
   */
  async function reopen(): Promise<Open> {
    const until = performance.now() + reconnectMs
    for (let waitMs = firstRetryMs; ; waitMs = Math.min(2 * waitMs, longestRetryMs)) {
      try {
        const opened = await open()
        onChange?.('connected again')
        return opened
      } catch (error) {
        const mayPass = error instanceof ConnectError && error.reason === 'unreachable'
        if (!mayPass || performance.now() + waitMs > until) throw error
      }
      await sleep(waitMs, end)
    }
  }

  function connected(): Promise<Open> {
    end.throwIfAborted()
    if (current) return current
    const opening = reopen()
    current = opening
    opening.catch(() => {
      if (current === opening) current = undefined
    })
    return opening
  }

  /** Uses the connection, and after a loss, where that is safe, the next one. */
  async function over<T>(
    use: (open: Open) => Promise<T>,
    { repeatable = false, signal, progress = () => 0 }: OverOptions & { repeatable?: boolean },
  ): Promise<T> {
    let reached = progress()
    // #region over
    for (let attempt = 1; ; attempt++) {
      signal?.throwIfAborted()
      const opened = await unlessAborted(connected(), signal)
      try {
        return await use(opened)
      } catch (error) {
        end.throwIfAborted()
        const before = reached
        reached = progress()
        if (reached > before) attempt = 1
        if (!(error instanceof ConnectionLostError) || attempt === mostAttempts) throw error
        if (error.outcome === 'unknown' && !repeatable) throw error
      }
    }
    // #endregion over
  }

  async function run(command: Command, { input, repeatable, signal, ...surroundings }: RunOptions = {}) {
    const line = commandLine(command, surroundings)
    return await over((open) => open.run(line, shown(command), input, signal), { repeatable, signal })
  }

  current = open(begun)
  await current
  const close = async () => {
    closing.abort(new Error(`${name}: the connection was closed`))
    await current?.then(
      (opened) => opened.link.close(),
      () => {},
    )
  }
  signal?.addEventListener('abort', close, { once: true })
  return {
    name,
    run,
    async output(command, options) {
      const result = await run(command, options)
      if (result.code !== 0) throw new CommandError(name, command, result)
      return result.stdout
    },
    async start(command, options = {}) {
      const { terminal, signal } = options
      const line = commandLine(terminal ? command : ['sh', '-c', leash, 'sh', ...command], options)
      return await over((open) => open.start(line, shown(command), terminal, signal), { signal })
    },
    ...remoteFiles(name, run, (use, options = {}) =>
      over((open) => unlessAborted(open.withSftp(use), options.signal), { repeatable: true, ...options }),
    ),
    async [Symbol.asyncDispose]() {
      signal?.removeEventListener('abort', close)
      await close()
    },
  }
}

/**
 * Runs a command and ends it when standard input ends. Closing a session ends nothing by itself, OpenSSH refuses
 * signals to root, and a killed client sends none. The input always ends.
 */
const leash =
  'exec 3<&0; "$@" </dev/null 3<&- & child=$!; { cat <&3; kill 0; } >/dev/null 2>&1 & ' +
  'exec 3<&-; wait $child; code=$?; kill $! 2>/dev/null; exit $code'

/** How long to wait for a command that was told to end. */
const endTimeoutMs = 2_000
const firstRetryMs = 200
const longestRetryMs = 5_000
/** A command that breaks every connection is not resent for ever. */
const mostAttempts = 5
const mostOutputBytes = 64 << 20

/** The SSH configuration's settings; those of the options take precedence. */
async function chosenSettings(options: ConnectOptions, linkOptions: LinkOptions): Promise<HostSettings> {
  const { host, port, user, identityFile, agent } = options
  const target = parseTarget(host)
  if (!target) throw new Error(`host: received ${JSON.stringify(host)}; accepts [user@]host[:port]`)
  const settings = await settingsOf({ ...target, ...(user && { user }), ...(port && { port }) }, linkOptions)
  if (identityFile !== undefined) settings.identityFiles = [identityFile].flat()
  if (agent !== undefined) settings.agent = agent === false ? undefined : agent
  return settings
}

async function unlessAborted<T>(promise: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (!signal) return await promise
  const { promise: aborted, reject } = Promise.withResolvers<never>()
  const abort = () => reject(signal.reason)
  signal.addEventListener('abort', abort, { once: true })
  return await Promise.race([promise, aborted]).finally(() => signal.removeEventListener('abort', abort))
}

interface Exit {
  code: number
  signal?: string
}

interface Running {
  channel: ClientChannel
  /** Undefined until it has come. */
  exit: Exit | undefined
}

/** What is open over one link, until that is gone. */
class Open {
  readonly link: Link
  readonly #name: string
  readonly #sessions: Sessions
  #sftp: Promise<{ sftp: Sftp; release: () => void }> | undefined
  #sftpUsers = 0

  constructor(name: string, link: Link, maxSessions: number) {
    this.#name = name
    this.link = link
    this.#sessions = new Sessions(maxSessions, () => this.#closeIdleSftp())
    void link.closed.then((cause) => this.#sessions.lose(this.#lost('waiting for a session', 'not started', cause)))
  }

  async run(
    line: string,
    what: string,
    input: string | Uint8Array | undefined,
    signal: AbortSignal | undefined,
  ): Promise<CommandResult> {
    const running = await this.#exec(line, what, undefined)
    const { channel } = running
    const { promise, resolve, reject } = Promise.withResolvers<CommandResult>()
    const output = { stdout: [] as Buffer[], stderr: [] as Buffer[], bytes: 0 }
    const give = (kind: 'stdout' | 'stderr') => (data: Buffer) => {
      output[kind].push(data)
      output.bytes += data.length
      if (output.bytes <= mostOutputBytes) return
      channel.close()
      reject(new Error(`${this.#name}: ${what} printed more than ${mostOutputBytes >> 20} MB`))
    }
    channel.on('data', give('stdout'))
    channel.stderr.on('data', give('stderr'))
    const abort = () => {
      endChannel(channel)
      reject(signal?.reason)
    }
    signal?.addEventListener('abort', abort, { once: true })
    this.#exitOf(running, what)
      .then(async (exit) => {
        // Standard error has its own end.
        if (!channel.stderr.readableEnded) await once(channel.stderr, 'end')
        const [stdout, stderr] = [output.stdout, output.stderr].map((parts) => Buffer.concat(parts).toString())
        resolve({ ...exit, stdout: stdout ?? '', stderr: stderr ?? '' })
      })
      .catch(reject)
      .finally(() => signal?.removeEventListener('abort', abort))
    if (signal?.aborted) abort()
    else channel.end(input)
    return await promise
  }

  async start(
    line: string,
    what: string,
    terminal: StartOptions['terminal'],
    signal: AbortSignal | undefined,
  ): Promise<RemoteProcess> {
    const running = await this.#exec(line, what, terminal)
    const { channel } = running
    const exited = this.#exitOf(running, what)
    // For a caller who does not ask how it ended, a rejection must not count as unhandled.
    exited.catch(() => {})
    const end = () => {
      if (terminal) endChannel(channel)
      else channel.end()
    }
    signal?.addEventListener('abort', end, { once: true })
    if (signal?.aborted) end()
    const closed = once(channel, 'close').finally(() => signal?.removeEventListener('abort', end))
    // `pipeline` and `for await` destroy their streams. A destroyed channel does not end, so they get another stream.
    const stdout = channel.pipe(new PassThrough())
    stdout.once('close', () => channel.resume())
    return {
      stdin: channel,
      stdout,
      stderr: channel.stderr,
      exited,
      kill: end,
      resize: (columns, rows) => channel.setWindow(rows, columns, 0, 0),
      async [Symbol.asyncDispose]() {
        end()
        // Unread output would keep the channel from closing.
        stdout.destroy()
        channel.stderr.resume()
        await Promise.race([closed, delay(endTimeoutMs)])
        endChannel(channel)
      },
    }
  }

  async withSftp<T>(use: (sftp: Sftp) => Promise<T>): Promise<T> {
    this.#sftpUsers++
    try {
      this.#sftp ??= this.#openSftp()
      const { sftp } = await this.#sftp
      return await use(sftp)
    } finally {
      this.#sftpUsers--
      if (this.#sessions.isWanted) this.#closeIdleSftp()
    }
  }

  #openSftp() {
    const forget = () => {
      if (this.#sftp === opening) this.#sftp = undefined
    }
    const opening = this.#session<SFTPWrapper>('a transfer', (done) => this.link.client.sftp(done)).then(
      ({ session, release }) => {
        session.once('close', forget).once('close', release)
        return { sftp: new Sftp(this.#name, session, () => this.#lost('a transfer', 'unknown')), release }
      },
    )
    opening.catch(forget)
    return opening
  }

  /** Makes room for other sessions. The next transfer opens a new one. */
  #closeIdleSftp() {
    const closing = this.#sftp
    if (this.#sftpUsers > 0) return
    this.#sftp = undefined
    closing?.then(
      ({ sftp, release }) => {
        sftp.close()
        // Not every server confirms the close.
        setTimeout(release, endTimeoutMs).unref()
      },
      () => {},
    )
  }

  async #exec(line: string, what: string, terminal: StartOptions['terminal']): Promise<Running> {
    const { client } = this.link
    const pty = terminal && { cols: terminal.columns, rows: terminal.rows, term: terminal.type ?? 'xterm-256color' }
    const { session, release } = await this.#session<Running>(what, (done) => {
      const begun = (error: Error | undefined, channel: ClientChannel) => {
        if (error) return done(error)
        const running: Running = { channel, exit: undefined }
        // Listens at once: the exit code of a short command may arrive in the same packet.
        channel.once('exit', (code: number | null, signal?: string) => {
          running.exit = code === null ? { code: 128 + signalNumber(signal), signal: signal ?? 'a signal' } : { code }
        })
        done(undefined, running)
      }
      client.exec(line, pty ? { pty } : {}, begun)
    })
    session.channel.once('close', release)
    // A command that ends early closes its input; leaving some of it unread is not an error.
    session.channel.on('error', () => {})
    return session
  }

  async #session<Session>(what: string, open: (done: (error: Error | undefined, session?: Session) => void) => void) {
    return await this.#sessions.take(
      () =>
        new Promise<Session>((resolve, reject) => {
          if (!this.link.isOpen()) return reject(this.#lost(what, 'not started'))
          try {
            open((error, session) => {
              if (!error) resolve(session as Session)
              // Before the channel was open, nothing had been requested. After that, the request was made and its
              // answer is missing.
              else if (!this.link.isOpen()) {
                reject(this.#lost(what, /no response/i.test(error.message) ? 'not started' : 'unknown', error))
              } else if ('reason' in error) reject(Object.assign(this.#refused(what, error), { reason: error.reason }))
              else reject(this.#refused(what, error))
            })
          } catch (error) {
            reject(this.#lost(what, 'not started', error))
          }
        }),
    )
  }

  #exitOf(running: Running, what: string): Promise<Exit> {
    const { channel } = running
    return new Promise((resolve, reject) => {
      channel.once('close', () => {
        if (running.exit && this.link.isOpen()) resolve(running.exit)
        else reject(this.#lost(what, 'unknown'))
      })
    })
  }

  #lost(what: string, outcome: ConnectionLostError['outcome'], cause?: unknown) {
    return new ConnectionLostError(this.#name, what, outcome, cause)
  }

  #refused(what: string, cause: Error) {
    return new Error(`${this.#name}: the host opens no session for ${what}`, { cause })
  }
}

function signalNumber(name: string | undefined): number {
  return constants.signals[name as NodeJS.Signals] ?? 0
}

/** Ends the command in a channel, and the channel itself: a host may ignore the signal. */
function endChannel(channel: ClientChannel) {
  channel.signal('TERM')
  channel.close()
}
