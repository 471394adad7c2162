/** `~/.ssh/config`: what the reader has already written down about a host. */
import { globSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { homedir, userInfo } from 'node:os'
import { dirname, isAbsolute, join } from 'node:path'
import SSHConfig from 'ssh-config'

/** A host as one types it. */
export interface Target {
  user?: string
  host: string
  port?: number
}

/** `[user@]host[:port]`, the host a name, an address, or an IPv6 address in brackets; undefined when it is none of these. */
export function parseTarget(text: string): Target | undefined {
  const form = /^(?:ssh:\/\/)?(?:([^@\s/]+)@)?(?:\[([\da-f:.%]+)\]|([\w.-]+))(?::(\d{1,5}))?$/i
  const [matched, user, address, name, port] = form.exec(text) ?? []
  const host = address ?? name
  if (matched === undefined || host === undefined || host.startsWith('-') || user?.startsWith('-')) return undefined
  if (port !== undefined && !(Number(port) >= 1 && Number(port) <= 65_535)) return undefined
  return { host, ...(user === undefined ? {} : { user }), ...(port === undefined ? {} : { port: Number(port) }) }
}

/** How to reach a host, with everything filled in. */
export interface HostSettings {
  /** The name it was asked for by. */
  alias: string
  host: string
  port: number
  user: string
  /** Private keys to try, in this order. */
  identityFiles: string[]
  /** Whether the agent may only be asked for these keys. */
  identitiesOnly: boolean
  /** Where the agent listens; undefined for no agent. */
  agent: string | undefined
  knownHostsFiles: string[]
  /** Hosts to go through, the nearest first. */
  jumps: Target[]
}

const agentHere = () =>
  process.env.SSH_AUTH_SOCK || (process.platform === 'win32' ? '\\\\.\\pipe\\openssh-ssh-agent' : undefined)

/**
 * What a configuration file says about a host. Understood are Host, HostName, User, Port, IdentityFile, IdentitiesOnly,
 * IdentityAgent, UserKnownHostsFile and ProxyJump, with Include, Match (never `Match exec`: nothing is run to find a host),
 * `~` and the usual `%h %n %p %r %u %d`. Other settings are left to OpenSSH.
 *
 * @param configFile `~/.ssh/config` when not given; a missing one is empty; false for none
 * @throws an Error for a ProxyCommand without a ProxyJump: going past it would be another way than the one wanted
 */
export async function resolveHost(
  target: Target,
  configFile: string | false = defaultConfigFile(),
): Promise<HostSettings> {
  const text = configFile === false ? '' : await withIncludes(configFile)
  const query = { Host: target.host, ...(target.user === undefined ? {} : { User: target.user }) }
  const found = SSHConfig.parse(text).compute(query, { ignoreCase: true, matchExec: false })
  const all = (name: string) => [found[name] ?? []].flat()
  const first = (name: string): string | undefined => all(name)[0]

  const user = target.user ?? first('user') ?? userInfo().username
  const port = target.port ?? Number(first('port') ?? 22)
  if (!(Number.isInteger(port) && port >= 1 && port <= 65_535)) {
    throw new Error(`${configFile}: Port of ${target.host}: received "${first('port')}"; accepts 1 to 65535`)
  }
  const host = (first('hostname') ?? target.host).replaceAll('%h', target.host)
  const tokens: Record<string, string> = {
    '%h': host,
    '%n': target.host,
    '%p': String(port),
    '%r': user,
    '%u': userInfo().username,
    '%d': homedir(),
    '%%': '%',
  }
  const path = (text: string) => {
    const full = text.replace(/^~(?=[/\\]|$)/, homedir()).replaceAll(/%[hnprud%]/g, (token) => tokens[token] ?? token)
    return isAbsolute(full) ? full : join(homedir(), full)
  }

  const jump = first('proxyjump')
  if (jump === undefined && (first('proxycommand') ?? 'none') !== 'none') {
    throw new Error(`${configFile}: ${target.host} has a ProxyCommand, which is not supported; accepts ProxyJump`)
  }
  const jumps = (jump ?? 'none') === 'none' ? [] : (jump ?? '').split(',').map((part) => parseTarget(part.trim()))
  if (jumps.includes(undefined)) {
    throw new Error(`${configFile}: ProxyJump of ${target.host}: received "${jump}"; accepts [user@]host[:port],…`)
  }
  const agent = first('identityagent')
  const hostsFiles = all('userknownhostsfile').filter((file) => file.toLowerCase() !== 'none')
  const keys = all('identityfile').filter((file) => file.toLowerCase() !== 'none')
  const standard = ['id_ed25519', 'id_ecdsa', 'id_rsa'].map((name) => `~/.ssh/${name}`)
  return {
    alias: target.host,
    host,
    port,
    user,
    identityFiles: (all('identityfile').length > 0 ? keys : standard).map(path),
    identitiesOnly: first('identitiesonly')?.toLowerCase() === 'yes',
    agent:
      agent === undefined || agent === 'SSH_AUTH_SOCK'
        ? agentHere()
        : agent.toLowerCase() === 'none'
          ? undefined
          : path(agent),
    knownHostsFiles: [
      ...(all('userknownhostsfile').length > 0 ? hostsFiles : ['~/.ssh/known_hosts']).map(path),
      ...(process.platform === 'win32' ? [] : ['/etc/ssh/ssh_known_hosts']),
    ],
    jumps: jumps.filter((target) => target !== undefined),
  }
}

function defaultConfigFile(): string {
  return join(homedir(), '.ssh', 'config')
}

/** The file's text with every `Include` replaced by what it names, as deep as OpenSSH goes. */
async function withIncludes(file: string, depth = 0): Promise<string> {
  let text: string
  try {
    text = await readFile(file, 'utf8')
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'ENOENT') return ''
    throw new Error(`${file} cannot be read`, { cause })
  }
  if (depth === 16) throw new Error(`${file}: Include goes deeper than 16 files`)
  // What follows an included file belongs again to the block that the line stood in.
  let block = 'Host *'
  const lines: string[] = []
  for (const line of text.split(/\r?\n/)) {
    if (/^\s*(Host|Match)[\s=]/i.test(line)) block = line
    const patterns = /^\s*Include[\s=]+(.+)$/i.exec(line)?.[1]
    if (patterns === undefined) {
      lines.push(line)
      continue
    }
    for (const [, quoted, plain = ''] of patterns.matchAll(/"([^"]*)"|(\S+)/g)) {
      const pattern = (quoted ?? plain).replace(/^~(?=\/)/, homedir())
      const full = isAbsolute(pattern) ? pattern : join(dirname(file), pattern)
      for (const found of globSync(full).sort()) lines.push(await withIncludes(found, depth + 1))
    }
    lines.push(block)
  }
  return lines.join('\n')
}
