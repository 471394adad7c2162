/**
 * Where a host is and how to log in there. OpenSSH itself reads its configuration: `ssh -G` prints what applies to a
 * host, from the user's files and the system's, with Include, Match and everything else that ssh_config(5) describes.
 */
import { execFile } from 'node:child_process'
import { hostname, userInfo } from 'node:os'
import { join, resolve } from 'node:path'
import { promisify } from 'node:util'
import { timeLimit } from '@repo/common/async/timer'

const execute = promisify(execFile)

/** The command that installs ssh and ssh-keygen, for messages. */
export const installClient = 'sudo apt-get install openssh-client'

/** A host as people type it. */
export interface Target {
  user?: string
  host: string
  port?: number
}

/**
 * Reads `[user@]host[:port]`. The host is a name, an address, or an IPv6 address in brackets. As for ssh, a user may
 * have an @ of their own: `ada@example.org@gate`. Undefined for other forms.
 */
export function parseTarget(text: string): Target | undefined {
  const form = /^(?:ssh:\/\/)?(?:(\S+)@)?(?:\[([\da-f:.%]+)\]|([\w.-]+))(?::(\d{1,5}))?$/i
  const [matched, user, address, name, port] = form.exec(text) ?? []
  const host = address ?? name
  if (matched === undefined || host === undefined || host.startsWith('-') || user?.startsWith('-')) return undefined
  if (port !== undefined && !(Number(port) >= 1 && Number(port) <= 65_535)) return undefined
  return { host, ...(user === undefined ? {} : { user }), ...(port === undefined ? {} : { port: Number(port) }) }
}

/** How to reach a host, with everything filled in. */
export interface HostSettings {
  /** The name that was requested. */
  alias: string
  host: string
  port: number
  user: string
  /** Private keys to try, in this order. */
  identityFiles: string[]
  /** Whether only these of the agent's keys may be used. */
  identitiesOnly: boolean
  /** The agent's socket; undefined for no agent. */
  agent: string | undefined
  knownHostsFiles: string[]
  /** This host's name in the known_hosts files, where that is not its own. */
  hostKeyAlias?: string
  /** Hosts to go through, the nearest first. */
  jumps: Target[]
  /** Why no configuration was read, if none was. */
  unread?: string
}

export interface ResolveOptions {
  /** Instead of the user's and the system's configuration; false for none. */
  configFile?: string | false | undefined
  /** How long `ssh -G` may take; 20 s by default. */
  timeoutMs?: number
  signal?: AbortSignal | undefined
}

/**
 * Asks OpenSSH how to reach a host. This is what ssh does before it connects: a `Match exec` in the configuration runs
 * its command. Without the program ssh, a host gets the settings of an empty configuration, and `unread` says so.
 *
 * @throws an Error with OpenSSH's words for a configuration that it refuses; for a ProxyCommand, because no other way
 *   to the host would be the one you wanted; or where `configFile` is given and ssh is missing
 */
export async function resolveHost(target: Target, options: ResolveOptions = {}): Promise<HostSettings> {
  const { configFile, timeoutMs = 20_000, signal } = options
  if (configFile === false) return unconfigured(target)
  const args = ['-T', '-G', ...(configFile === undefined ? [] : ['-F', configFile])]
  if (target.user !== undefined) args.push('-l', target.user)
  if (target.port !== undefined) args.push('-p', String(target.port))
  const limit = timeLimit(timeoutMs, signal)
  const printed = await execute('ssh', [...args, '--', target.host], { signal: limit }).catch((error) => {
    signal?.throwIfAborted()
    if (error.code === 'ENOENT') return undefined
    if (limit.aborted) throw new Error(`${target.host}: ssh -G did not answer within ${timeoutMs / 1000} s`)
    const [said] = String(error.stderr).trim().split(/\r?\n/)
    throw new Error(`${target.host}: OpenSSH refuses its configuration: ${said}`)
  })
  if (printed) return settingsIn(target, printed.stdout)
  const unread = `the program ssh is missing: ${installClient}`
  if (configFile !== undefined) throw new Error(`${configFile} cannot be read, because ${unread}`)
  return { ...unconfigured(target), unread: `the SSH configuration was not read, because ${unread}` }
}

/** The settings of an empty configuration. */
function unconfigured(target: Target): HostSettings {
  const inHome = (name: string) => join(userInfo().homedir, '.ssh', name)
  return {
    alias: target.host,
    host: target.host,
    port: target.port ?? 22,
    user: target.user ?? userInfo().username,
    identityFiles: ['id_ed25519', 'id_ecdsa', 'id_rsa'].map(inHome),
    identitiesOnly: false,
    agent: defaultAgent(),
    knownHostsFiles: [inHome('known_hosts'), '/etc/ssh/ssh_known_hosts'],
    jumps: [],
  }
}

const defaultAgent = () =>
  process.env.SSH_AUTH_SOCK || (process.platform === 'win32' ? '\\\\.\\pipe\\openssh-ssh-agent' : undefined)

/** Reads what `ssh -G` prints: a line for each setting, its name in lower case. */
function settingsIn(target: Target, printed: string): HostSettings {
  const lines = printed.split(/\r?\n/).map((line) => /^(\S+) (.*)$/.exec(line) ?? [])
  const all = (name: string) => lines.flatMap(([, key, value]) => (key === name && value !== undefined ? [value] : []))
  const first = (name: string) => all(name).find((value) => value !== 'none')
  // Of these two, `none` is a value like any other.
  const [host = target.host] = all('hostname')
  const [user = userInfo().username] = all('user')
  const port = Number(first('port'))

  if (first('proxycommand') !== undefined) {
    throw new Error(`${target.host} has a ProxyCommand, which is not supported; accepts ProxyJump`)
  }
  // These are printed as they are in the file; see TOKENS in ssh_config(5).
  const tokens: Record<string, string> = {
    '%': '%',
    d: userInfo().homedir,
    h: host,
    i: String(userInfo().uid),
    k: first('hostkeyalias') ?? target.host,
    L: hostname().replace(/\..*/, ''),
    l: hostname(),
    n: target.host,
    p: String(port),
    r: user,
    u: userInfo().username,
  }
  const fill = (text: string) => text.replaceAll(/%(.)/g, (token, letter: string) => tokens[letter] ?? token)
  const path = (text: string) => {
    const variables = text.replaceAll(/\$\{(\w+)\}/g, (_, name: string) => variable(name))
    return resolve(fill(variables.replace(/^~(?=[/\\]|$)/, userInfo().homedir)))
  }
  const jump = first('proxyjump')
  const jumps = jump?.split(',').map((part) => {
    const found = parseTarget(fill(part))
    if (!found) throw new Error(`ProxyJump of ${target.host}: received "${jump}"; accepts [user@]host[:port],…`)
    return found
  })
  const alias = first('hostkeyalias')
  return {
    alias: target.host,
    host,
    port,
    user,
    identityFiles: all('identityfile').flatMap((file) => (file === 'none' ? [] : [path(file)])),
    identitiesOnly: first('identitiesonly') === 'yes',
    agent: agentIn(all('identityagent')[0], path),
    knownHostsFiles: ['userknownhostsfile', 'globalknownhostsfile'].flatMap((name) => filesIn(first(name))),
    ...(alias !== undefined && { hostKeyAlias: alias }),
    jumps: jumps ?? [],
  }
}

/** A list of absolute paths on one line, each of which may contain spaces. */
const filesIn = (list = '') => (list === '' ? [] : list.split(/ (?=[/~]|[A-Za-z]:)/))

function agentIn(setting: string | undefined, path: (text: string) => string): string | undefined {
  if (setting === undefined || setting === 'SSH_AUTH_SOCK') return defaultAgent()
  if (setting === 'none') return undefined
  return setting.startsWith('$') && !setting.startsWith('${') ? variable(setting.slice(1)) : path(setting)
}

function variable(name: string): string {
  const value = process.env[name]
  if (value === undefined) throw new Error(`the SSH configuration names the variable ${name}, which is not set`)
  return value
}
