/** One SSH connection to one host: the jump hosts on the way, the host's key, the user's keys and agent. */
import { readFile } from 'node:fs/promises'
import { connect as dial } from 'node:net'
import type { Duplex } from 'node:stream'
import { after, longestMs, timeLimit } from '@repo/common/async/timer'
import ssh2, { type AuthenticationType, type NextAuthHandler, type ParsedKey } from 'ssh2'
import { type HostSettings, resolveHost, type Target } from './config.ts'
import { ConnectError } from './errors.ts'
import { addKnownHost, fingerprint, KnownHosts, knownHostsLine, typeOf } from './known-hosts.ts'

export interface Credentials {
  /** The passphrase of encrypted keys, or a function that is called once for each. It is never kept or printed. */
  passphrase?: string | ((identityFile: string) => string | undefined | Promise<string | undefined>)
  /**
   * The fingerprint (`SHA256:…`) of a new host's key. A host that presents this key is trusted, and added to
   * known_hosts.
   */
  acceptNewHost?: string
}

export interface LinkOptions extends Credentials {
  configFile?: string | false
  /** Instead of those in the configuration; false for none. */
  knownHostsFile?: string | false
  /** For the whole route, with all jump hosts. */
  connectTimeoutMs: number
  keepAliveMs: number
  signal?: AbortSignal | undefined
}

/** An open connection to a host that has proved who it is and has let the user in. */
export interface Link {
  client: ssh2.Client
  /** Resolves when the connection is gone, with the reason if there is one. */
  closed: Promise<Error | undefined>
  isOpen: () => boolean
  /** Ends the connection, and cuts it if the host does not answer; resolves when it is closed. */
  close: () => Promise<void>
}

const closeTimeoutMs = 2_000
/** Consecutive unanswered keepalives after which the host counts as gone. */
const unansweredKeepAlives = 3
/** A configuration with more jump hosts in a row counts as endless. */
const mostJumps = 16

/** A host for messages: `user@host`, with the port where it is given and not 22. */
export function nameOf({ user, host, port = 22 }: Target): string {
  const address = host.includes(':') ? `[${host}]` : host
  return `${user === undefined ? '' : `${user}@`}${address}${port === 22 ? '' : `:${port}`}`
}

/**
 * Returns how to reach a host, from OpenSSH's configuration and the options.
 *
 * @throws an Error with OpenSSH's words when it refuses the configuration
 */
export async function settingsOf(target: Target, options: LinkOptions, timeoutMs = options.connectTimeoutMs) {
  const { configFile, knownHostsFile, signal } = options
  const settings = await resolveHost(target, { configFile, timeoutMs, signal })
  if (knownHostsFile !== undefined) settings.knownHostsFiles = knownHostsFile === false ? [] : [knownHostsFile]
  return settings
}

/**
 * Connects to a host, through its jump hosts where it has any.
 *
 * @param begun when connecting began, by `performance.now()`: the time spent finding the settings counts
 * @throws a {@link ConnectError}, or the signal's reason
 */
export async function openLink(settings: HostSettings, options: LinkOptions, begun = performance.now()): Promise<Link> {
  const deadline = begun + options.connectTimeoutMs
  return await openThroughJumps(settings, options, deadline, [settings.alias])
}

/** @param way the hosts whose connections wait for this one, by the names they were requested by */
async function openThroughJumps(
  settings: HostSettings,
  options: LinkOptions,
  deadline: number,
  way: readonly string[],
): Promise<Link> {
  const links: Link[] = []
  const closeJumps = async () => {
    for (const each of links.toReversed()) await each.close()
  }
  try {
    for (const [at, jump] of settings.jumps.entries()) {
      const own = await settingsOf(jump, options, remainingMs(deadline))
      // As with OpenSSH, only the first jump host may itself lie behind others.
      if (at > 0 || own.jumps.length === 0) {
        links.push(await openDirect({ ...own, jumps: [] }, options, deadline, links.at(-1)))
        continue
      }
      const further = [...way, nameOf(jump)]
      if (way.includes(nameOf(jump)) || way.length > mostJumps) {
        throw new Error(`${way[0]}: its jump hosts never end: ${further.join(' → ')}`)
      }
      links.push(await openThroughJumps(own, options, deadline, further))
    }
    const link = await openDirect(settings, options, deadline, links.at(-1))
    const close = async () => {
      await link.close()
      await closeJumps()
    }
    // Its jump hosts' links serve only this link.
    void link.closed.then(close)
    return { ...link, close }
  } catch (error) {
    await closeJumps()
    throw error
  }
}

const remainingMs = (deadline: number) => Math.max(1, Math.ceil(deadline - performance.now()))

async function openDirect(
  settings: HostSettings,
  options: LinkOptions,
  deadline: number,
  through: Link | undefined,
): Promise<Link> {
  const { host, port, knownHostsFiles, hostKeyAlias } = settings
  const { signal, connectTimeoutMs, keepAliveMs } = options
  const keys = new Keys(settings, options)
  let refused: unknown
  let accepts: readonly string[] = ['publickey']

  const client = new ssh2.Client()
  let open = false
  const ready = Promise.withResolvers<void>()
  const closed = new Promise<Error | undefined>((resolve) => {
    let lost: Error | undefined
    client.on('error', (error: Error & { level?: string }) => {
      // An agent that does not answer means one key fewer, not a lost connection.
      if (error.level === 'agent') return
      lost ??= error
      ready.reject(error)
    })
    client.once('close', () => {
      open = false
      ready.reject(lost ?? new Error('the host closed the connection'))
      resolve(lost)
    })
  })
  const fail = (error: unknown) => {
    ready.reject(error)
    client.destroy()
  }
  const abort = () => fail(signal?.reason)
  signal?.throwIfAborted()
  signal?.addEventListener('abort', abort, { once: true })
  const late = new Error(`no answer within ${connectTimeoutMs / 1000} s`)
  using _timer = after(remainingMs(deadline), () => fail(late))
  try {
    const limit = timeLimit(remainingMs(deadline), signal)
    const searched = KnownHosts.search(knownHostsFiles, host, port, hostKeyAlias, limit).catch((error) => {
      if (limit.aborted) throw late
      refused = error
      throw error
    })
    const known = await Promise.race([searched, ready.promise.then(() => searched)])
    // Requests are small and wait for their answers, so Nagle's algorithm would delay them.
    const dialed = through ? forward(through, host, port) : dial({ host, port, noDelay: true })
    const sock = await Promise.race([dialed, ready.promise.then(() => dialed)])
    client.once('ready', ready.resolve).connect({
      sock,
      username: settings.user,
      readyTimeout: 0,
      // 0 means never, and so does what is more than a timer can wait.
      keepaliveInterval: keepAliveMs > longestMs ? 0 : keepAliveMs,
      keepaliveCountMax: unansweredKeepAlives,
      algorithms: { serverHostKey: hostKeyAlgorithms(known.types) },
      hostVerifier: (key: Buffer, verify: (valid: boolean) => void) => {
        checkHostKey(settings, known, key, options.acceptNewHost).then(
          () => verify(true),
          (error) => {
            refused = error
            verify(false)
          },
        )
      },
      authHandler: (left: AuthenticationType[] | null, _partial: boolean | null, next: NextAuthHandler) => {
        if (left) accepts = left
        if (!accepts.includes('publickey')) return void next(false as never)
        keys.next().then((way) => next((way ?? false) as never), fail)
      },
    })
    await ready.promise
    open = true
  } catch (error) {
    client.destroy()
    signal?.throwIfAborted()
    throw refused ?? explain(settings, error, keys.tried, accepts)
  } finally {
    signal?.removeEventListener('abort', abort)
  }
  return {
    client,
    closed,
    isOpen: () => open,
    async close() {
      open = false
      client.end()
      const timer = setTimeout(() => client.destroy(), closeTimeoutMs)
      await closed
      clearTimeout(timer)
    },
  }
}

function forward({ client }: Link, host: string, port: number): Promise<Duplex> {
  return new Promise((resolve, reject) => {
    client.forwardOut('127.0.0.1', 0, host, port, (error, channel) => (error ? reject(error) : resolve(channel)))
  })
}

/** The algorithms of known keys come first, so that a host with several keys presents a known one. */
function hostKeyAlgorithms(known: readonly string[]): ssh2.ServerHostKeyAlgorithm[] {
  const isKnown = (algorithm: string) => known.includes(algorithm.replace(/^rsa-sha2-\d+$/, 'ssh-rsa'))
  return [...algorithms.filter(isKnown), ...algorithms.filter((algorithm) => !isKnown(algorithm))]
}

const algorithms: ssh2.ServerHostKeyAlgorithm[] = [
  'ssh-ed25519',
  'ecdsa-sha2-nistp256',
  'ecdsa-sha2-nistp384',
  'ecdsa-sha2-nistp521',
  'rsa-sha2-512',
  'rsa-sha2-256',
]

/** @throws a {@link ConnectError} unless the key is known to be the host's, or is the one to accept */
async function checkHostKey(
  settings: HostSettings,
  known: KnownHosts,
  key: Buffer,
  accepted: string | undefined,
): Promise<void> {
  const { host, port, knownHostsFiles, hostKeyAlias } = settings
  const name = nameOf(settings)
  const shows = `it shows ${typeOf(key)} ${fingerprint(key)}`
  const answer = known.check(key)
  if (answer.verdict === 'known') return
  if (answer.verdict === 'revoked') {
    throw new ConnectError(name, 'host key', `${shows}, which ${answer.place} says is revoked: do not trust this host`)
  }
  if (answer.verdict === 'changed') {
    const advice = 'somebody may be in between; if the host was reinstalled, remove that line'
    throw new ConnectError(
      name,
      'host key',
      `the host key has changed: ${shows}, not the key of ${answer.place}; ${advice}`,
    )
  }
  const [file] = knownHostsFiles
  if (accepted === fingerprint(key)) {
    if (file !== undefined && answer.verdict === 'unknown') {
      await addKnownHost(file, knownHostsLine(host, port, key, hostKeyAlias))
    }
    return
  }
  const wanted = accepted === undefined ? '' : `, not ${accepted} which was to be accepted`
  const advice = "compare it with what the host's owner publishes, then accept exactly this one once"
  if (answer.verdict === 'not searched') {
    throw new ConnectError(name, 'host key', `the host key cannot be looked up: ${shows}${wanted}; ${answer.why}`)
  }
  throw new ConnectError(
    name,
    'host key',
    `the host key is unknown: ${shows}${wanted}, and ${file ?? 'no known_hosts file'} has no line for it; ${advice}`,
  )
}

/** The keys to offer, one after another: keys in plain files, the agent's keys, then keys that need a passphrase. */
class Keys {
  /** What was offered, or why it was not, for the error message. */
  readonly tried: string[] = []
  readonly #ways: AsyncGenerator<ssh2.AnyAuthMethod>

  constructor(settings: HostSettings, { passphrase }: Credentials) {
    this.#ways = this.#walk(settings, passphrase)
  }

  async next(): Promise<ssh2.AnyAuthMethod | undefined> {
    const { value, done } = await this.#ways.next()
    return done ? undefined : value
  }

  async *#walk(
    { user, identityFiles, identitiesOnly, agent }: HostSettings,
    passphrase: Credentials['passphrase'],
  ): AsyncGenerator<ssh2.AnyAuthMethod> {
    const encrypted: { file: string; text: string }[] = []
    for (const file of identityFiles) {
      const text = await readFile(file, 'utf8').catch((error: NodeJS.ErrnoException) => {
        this.tried.push(`${file} (${error.code === 'ENOENT' ? 'missing' : error.code})`)
      })
      if (text === undefined) continue
      const key = ssh2.utils.parseKey(text)
      if (!(key instanceof Error)) yield* this.#offer(user, file, key)
      else if (/encrypted/i.test(key.message)) encrypted.push({ file, text })
      else this.tried.push(`${file} (no private key that can be read)`)
    }
    if (agent !== undefined) {
      this.tried.push(`the agent at ${agent}`)
      const only = identitiesOnly ? await publicKeys(identityFiles) : undefined
      yield { type: 'agent', username: user, agent: only ? new ChosenAgent(agent, only) : agent }
    }
    for (const { file, text } of encrypted) {
      const given = typeof passphrase === 'function' ? await passphrase(file) : passphrase
      if (given === undefined) {
        this.tried.push(`${file} (encrypted, and no passphrase was given)`)
        continue
      }
      const key = ssh2.utils.parseKey(text, given)
      if (key instanceof Error) this.tried.push(`${file} (the passphrase does not open it)`)
      else yield* this.#offer(user, file, key)
    }
  }

  *#offer(username: string, file: string, parsed: ParsedKey | ParsedKey[]): Generator<ssh2.AnyAuthMethod> {
    const [key] = [parsed].flat()
    if (!key?.isPrivateKey()) {
      this.tried.push(`${file} (not a private key)`)
      return
    }
    this.tried.push(`${file} (${key.type} ${fingerprint(key.getPublicSSH())})`)
    yield { type: 'publickey', username, key }
  }
}

/**
 * The public keys in or beside these files. They identify the agent's keys even where a private file is encrypted or
 * missing.
 */
async function publicKeys(identityFiles: readonly string[]): Promise<Buffer[]> {
  const read = (file: string) => readFile(file.endsWith('.pub') ? file : `${file}.pub`, 'utf8').catch(() => '')
  const texts = await Promise.all(identityFiles.map(read))
  return texts.flatMap((text) => {
    const base64 = text.trim().split(/\s+/)[1]
    return base64 === undefined ? [] : [Buffer.from(base64, 'base64')]
  })
}

/** An agent that offers only some of its keys, because a host disconnects after a few wrong ones. */
class ChosenAgent extends ssh2.OpenSSHAgent {
  readonly #chosen: readonly Buffer[]

  constructor(socket: string, chosen: readonly Buffer[]) {
    super(socket)
    this.#chosen = chosen
  }

  override getIdentities(done: (error: Error | undefined, keys?: ParsedKey[]) => void) {
    super.getIdentities((error, keys) => {
      const chosen = (keys ?? []).filter((key) => {
        const own = ssh2.utils.parseKey(key as never)
        return (
          !(own instanceof Error) && this.#chosen.some((each) => each.equals([own].flat()[0]?.getPublicSSH() ?? each))
        )
      })
      done(error ?? undefined, chosen as ParsedKey[])
    })
  }
}

function explain(
  settings: HostSettings,
  error: unknown,
  tried: readonly string[],
  accepts: readonly string[],
): unknown {
  const { level, message } = error as Error & { level?: string }
  const name = nameOf(settings)
  const aside = settings.unread === undefined ? '' : ` (${settings.unread})`
  if (error instanceof ConnectError) return error
  if (level !== 'client-authentication' && !/too many authentication failures/i.test(message)) {
    return new ConnectError(name, 'unreachable', `no connection${aside}`, { cause: error })
  }
  if (!accepts.includes('publickey')) {
    return new ConnectError(name, 'authentication', `the host accepts no keys, only ${accepts.join(', ')}`)
  }
  const offered = tried.length === 0 ? 'there was no key to offer' : `tried ${tried.join(', ')}`
  return new ConnectError(name, 'authentication', `the host does not let ${settings.user} in; ${offered}${aside}`)
}
