/**
 * A connection to a cluster's login node: many commands, and files, over one SSH connection that is made again when it is
 * lost.
 *
 * What a lost connection means for a command. Until the host has been sent the command, nothing has happened, and it is
 * sent over the next connection. After that and before its exit code has come back, nobody at this end can know whether
 * it ran; a question (`repeatable: true`) is simply asked again, and anything else is reported as unknown with a
 * ConnectionLostError. The one who gave the command makes it safe, by having it leave a trace that can be looked for:
 * a job is submitted with its run's own name and folder, and what the queue and the folder show decides whether it is
 * submitted again. Jobs themselves belong to the scheduler and do not notice.
 */
import { once } from 'node:events'
import { constants } from 'node:os'
import { PassThrough, type Readable, type Writable } from 'node:stream'
import { setTimeout as delay } from 'node:timers/promises'
import type { ClientChannel, SFTPWrapper } from 'ssh2'
import type { Command } from '../scheduler/scheduler.ts'
import { parseTarget, resolveHost } from './config.ts'
import { CommandError, ConnectError, ConnectionLostError, shown } from './errors.ts'
import { type RemoteFiles, remoteFiles } from './files.ts'
import { type Credentials, type Link, nameOf, openLink } from './link.ts'
import { commandLine, type Surroundings } from './quote.ts'
import { Sessions } from './sessions.ts'
import { Sftp } from './sftp.ts'

export interface ConnectOptions extends Credentials {
  /** A name, an address, or a Host of the configuration file. */
  host: string
  /** Before those of the configuration file: */
  port?: number
  user?: string
  /** Private keys; only these, and then the agent's. */
  identityFile?: string | string[]
  /** The agent's socket; SSH_AUTH_SOCK when not given; false for none. */
  agent?: string | false
  /** Instead of `~/.ssh/known_hosts` and the system's. */
  knownHostsFile?: string
  /** `~/.ssh/config` when not given; false for none. */
  configFile?: string | false
  /** Sessions (commands, shells, SFTP) open at a time: 10, as sshd's MaxSessions. A host that allows fewer is noticed. */
  maxSessions?: number
  /** After so long without a word the host is asked for one, and after three unanswered it counts as lost; 10 s. */
  keepAliveMs?: number
  /** 20 s. */
  connectTimeoutMs?: number
  /** For how long a lost connection is tried again before the ones who wait for it are told; 60 s, 0 for never. */
  reconnectMs?: number
  /** Ends the connection, and what waits for it. */
  signal?: AbortSignal | undefined
  /** Told when a connection was lost and when it is there again. */
  onChange?: (change: 'lost' | 'connected again') => void
}

export interface RunOptions extends Surroundings {
  /** Its standard input; empty when not given. */
  input?: string | Uint8Array
  /** It only asks, or does the same when done twice: after a lost connection it is run again. */
  repeatable?: boolean
  /** Ends the waiting at once, and the command with SIGTERM where the host allows that: OpenSSH does, except to root. */
  signal?: AbortSignal | undefined
}

export interface CommandResult {
  /** 0 to 255; 128 and more for a command that a signal ended. */
  code: number
  /** The signal's name, such as `SIGKILL`. */
  signal?: string
  stdout: string
  stderr: string
}

export interface StartOptions extends Surroundings {
  /** Gives it a terminal of this size, and standard input; standard error then comes with standard output. */
  terminal?: { columns: number; rows: number; type?: string }
  /** Ends it. */
  signal?: AbortSignal | undefined
}

/**
 * A command that runs. It ends when this is disposed of, and also when the connection is lost or this process is killed:
 * without a terminal, by SIGTERM as soon as its hidden standard input ends; with one, by the hanging up.
 */
export interface RemoteProcess extends AsyncDisposable {
  /** Of a command with a terminal. */
  stdin: Writable
  /** Must be read to its end, or the command stops at a full window and never ends. */
  stdout: Readable
  stderr: Readable
  /** Rejected with a ConnectionLostError when nobody can say how it ended. */
  exited: Promise<{ code: number; signal?: string }>
  /** Ends it; `exited` says when it has. */
  kill: () => void
  /** Tells its terminal a new size. */
  resize: (columns: number, rows: number) => void
}

export interface Connection extends RemoteFiles, AsyncDisposable {
  /** `user@host`, with the port where that is not 22. */
  readonly name: string
  /**
   * Runs a command, whatever its exit code, and returns what it printed, up to 64 MB.
   *
   * @throws a {@link ConnectionLostError} when it may have run, a {@link ConnectError}, or the signal's reason
   */
  run: (command: Command, options?: RunOptions) => Promise<CommandResult>
  /**
   * The standard output of a command that must succeed.
   *
   * @throws a {@link CommandError} for another exit code than 0, and what `run` throws
   */
  output: (command: Command, options?: RunOptions) => Promise<string>
  /** Starts a command whose output is wanted as it comes. */
  start: (command: Command, options?: StartOptions) => Promise<RemoteProcess>
  /** Starts the account's login shell. */
  shell: (options?: StartOptions) => Promise<RemoteProcess>
}

/**
 * Connects to a host: `user@host`, `host:port`, the name of a Host in `~/.ssh/config`, or options.
 *
 * @throws a {@link ConnectError} that says what the host showed or refused, or the signal's reason
 */
export async function connect(to: string | ConnectOptions): Promise<Connection> {
  const options = typeof to === 'string' ? { host: to } : to
  const { signal, maxSessions = 10, reconnectMs = 60_000, onChange } = options
  const settings = await settingsOf(options)
  const name = nameOf(settings)
  const closing = new AbortController()
  const end = signal ? AbortSignal.any([signal, closing.signal]) : closing.signal
  const linkOptions = { keepAliveMs: 10_000, connectTimeoutMs: 20_000, ...options, signal: end }

  let current: Promise<Open> | undefined
  async function open(): Promise<Open> {
    const link = await openLink(settings, linkOptions)
    const opened = new Open(name, link, maxSessions)
    void link.closed.then(() => {
      if (end.aborted) return
      current = undefined
      onChange?.('lost')
    })
    return opened
  }

  /** Tries again, less and less often, for as long as that may help: a host that refuses the key will do so again. */
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
      await delay(waitMs, undefined, { signal: end })
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

  /** Does something over the connection, again over the next one where that is safe. */
  async function over<T>(
    use: (open: Open) => Promise<T>,
    { repeatable = false, signal }: { repeatable?: boolean; signal?: AbortSignal | undefined },
  ): Promise<T> {
    for (let attempt = 1; ; attempt++) {
      signal?.throwIfAborted()
      const opened = await unlessAborted(connected(), signal)
      try {
        return await use(opened)
      } catch (error) {
        end.throwIfAborted()
        if (!(error instanceof ConnectionLostError) || attempt === mostAttempts) throw error
        if (error.outcome === 'unknown' && !repeatable) throw error
      }
    }
  }

  async function run(command: Command, { input, repeatable, signal, ...surroundings }: RunOptions = {}) {
    const line = commandLine(command, surroundings)
    return await over((open) => open.run(line, shown(command), input, signal), { repeatable, signal })
  }
  function start(line: string | undefined, what: string, { terminal, signal }: StartOptions) {
    return over((open) => open.start(line, what, terminal, signal), { signal })
  }

  current = open()
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
    start: async (command, options = {}) => {
      const held = options.terminal ? command : (['sh', '-c', leash, 'sh', ...command] as const)
      return await start(commandLine(held, options), shown(command), options)
    },
    shell: async (options = {}) =>
      await start(undefined, 'a shell', { terminal: { columns: 80, rows: 24 }, ...options }),
    ...remoteFiles(name, run, (use, signal) =>
      over((open) => unlessAborted(open.withSftp(use), signal), { repeatable: true, signal }),
    ),
    async [Symbol.asyncDispose]() {
      signal?.removeEventListener('abort', close)
      await close()
    },
  }
}

/**
 * Runs a command and ends it when standard input does. Closing a session ends nothing by itself, a signal sent over SSH
 * is refused to root, and a client that has been killed sends none; but the input always ends.
 */
const leash =
  'exec 3<&0; "$@" </dev/null 3<&- & child=$!; { cat <&3; kill 0; } >/dev/null 2>&1 & ' +
  'exec 3<&-; wait $child; code=$?; kill $! 2>/dev/null; exit $code'

/** How long a command that is to end may take over it before it is no longer waited for. */
const endTimeoutMs = 2_000
const firstRetryMs = 200
const longestRetryMs = 5_000
/** A command that breaks the connection whenever it is sent is not sent for ever. */
const mostAttempts = 5
const mostOutputBytes = 64 << 20

async function settingsOf({ host, port, user, identityFile, agent, knownHostsFile, configFile }: ConnectOptions) {
  const target = parseTarget(host)
  if (!target) throw new Error(`host: received ${JSON.stringify(host)}; accepts [user@]host[:port]`)
  const settings = await resolveHost({ ...target, ...(user && { user }), ...(port && { port }) }, configFile)
  if (identityFile !== undefined) settings.identityFiles = [identityFile].flat()
  if (agent !== undefined) settings.agent = agent === false ? undefined : agent
  if (knownHostsFile !== undefined) settings.knownHostsFiles = [knownHostsFile]
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
  /** Once it has come. */
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
    line: string | undefined,
    what: string,
    terminal: StartOptions['terminal'],
    signal: AbortSignal | undefined,
  ): Promise<RemoteProcess> {
    const running = await this.#exec(line, what, terminal)
    const { channel } = running
    const exited = this.#exitOf(running, what)
    // Whoever does not ask how it ended has not missed an error.
    exited.catch(() => {})
    const end = () => {
      if (terminal) endChannel(channel)
      else channel.end()
    }
    signal?.addEventListener('abort', end, { once: true })
    if (signal?.aborted) end()
    const closed = once(channel, 'close').finally(() => signal?.removeEventListener('abort', end))
    // A channel does not end like other streams when it is destroyed, as `pipeline` and `for await` do with theirs.
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
        // What nobody reads any more would keep it from closing.
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

  /** Makes room for others; whoever needs it next opens another one. */
  #closeIdleSftp() {
    const closing = this.#sftp
    if (this.#sftpUsers > 0) return
    this.#sftp = undefined
    closing?.then(
      ({ sftp, release }) => {
        sftp.close()
        // Not every server confirms that.
        setTimeout(release, endTimeoutMs).unref()
      },
      () => {},
    )
  }

  async #exec(line: string | undefined, what: string, terminal: StartOptions['terminal']): Promise<Running> {
    const { client } = this.link
    const pty = terminal && { cols: terminal.columns, rows: terminal.rows, term: terminal.type ?? 'xterm-256color' }
    const { session, release } = await this.#session<Running>(what, (done) => {
      const begun = (error: Error | undefined, channel: ClientChannel) => {
        if (error) return done(error)
        const running: Running = { channel, exit: undefined }
        // At once: the exit code of a short command may come in the same packet.
        channel.once('exit', (code: number | null, signal?: string) => {
          running.exit = code === null ? { code: 128 + signalNumber(signal), signal: signal ?? 'a signal' } : { code }
        })
        done(undefined, running)
      }
      if (line === undefined) client.shell(pty ?? false, begun)
      else client.exec(line, pty ? { pty } : {}, begun)
    })
    session.channel.once('close', release)
    // A command that ends early closes its input; what was not read of that is its own affair.
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
              // Nothing was asked for before the channel was open; after that it was, and the answer is missing.
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

/** Ends what runs in a channel, and the channel. The signal alone is not enough: a host may ignore the request. */
function endChannel(channel: ClientChannel) {
  channel.signal('TERM')
  channel.close()
}
