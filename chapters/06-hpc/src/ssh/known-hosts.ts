/**
 * The known_hosts file: which key each host has. A host is who it says it is only if it proves to hold the key that is
 * written there; anything else could be somebody in between, who would see all that follows.
 */
import { createHash, createHmac, timingSafeEqual } from 'node:crypto'
import { appendFile, mkdir, readFile } from 'node:fs/promises'
import { dirname } from 'node:path'

interface Entry {
  marker: string | undefined
  hosts: string
  type: string
  key: Buffer
  /** Where it stands, as `file:line`. */
  place: string
}

export type Verdict =
  | { verdict: 'known' }
  /** No line names the host. */
  | { verdict: 'unknown' }
  /** A line names the host with another key, or the key is marked as revoked. */
  | { verdict: 'changed' | 'revoked'; place: string }

/** What several known_hosts files say about one host. */
export class KnownHosts {
  readonly #entries: Entry[]

  private constructor(entries: Entry[]) {
    this.#entries = entries
  }

  /** Reads the files; one that is missing is empty. Lines that are no entries are skipped, as OpenSSH does. */
  static async read(files: readonly string[]): Promise<KnownHosts> {
    const texts = await Promise.all(
      files.map(async (file) => {
        try {
          return { file, text: await readFile(file, 'utf8') }
        } catch (cause) {
          if ((cause as NodeJS.ErrnoException).code === 'ENOENT') return { file, text: '' }
          throw new Error(`known hosts: ${file} cannot be read`, { cause })
        }
      }),
    )
    return new KnownHosts(texts.flatMap(({ file, text }) => parse(text, file)))
  }

  /** The types of the keys known for a host, to be asked for first: it may have several, and only some are known. */
  typesFor(host: string, port: number): string[] {
    return this.#about(host, port).flatMap(({ marker, type }) => (marker === undefined ? [type] : []))
  }

  check(host: string, port: number, key: Buffer): Verdict {
    // A revoked key is refused for every host its line names, also beside a line that would accept it.
    const about = this.#about(host, port)
    const isSame = (entry: Entry) => entry.key.equals(key)
    const revoked = about.find((entry) => entry.marker === '@revoked' && isSame(entry))
    if (revoked) return { verdict: 'revoked', place: revoked.place }
    const own = about.filter(({ marker }) => marker === undefined)
    if (own.some(isSame)) return { verdict: 'known' }
    const [other] = own
    return other ? { verdict: 'changed', place: other.place } : { verdict: 'unknown' }
  }

  #about(host: string, port: number): Entry[] {
    const name = nameOf(host, port)
    return this.#entries.filter(({ hosts }) => names(hosts, name))
  }
}

/** The host as known_hosts writes it: with the port, in brackets, where that is not 22. */
function nameOf(host: string, port: number): string {
  return port === 22 ? host.toLowerCase() : `[${host.toLowerCase()}]:${port}`
}

/** One line for a host and its key. */
export function knownHostsLine(host: string, port: number, key: Buffer): string {
  return `${nameOf(host, port)} ${typeOf(key)} ${key.toString('base64')}\n`
}

/** Adds a line, and the file and its folder where there is none, readable by this user only. */
export async function addKnownHost(file: string, line: string): Promise<void> {
  await mkdir(dirname(file), { recursive: true, mode: 0o700 })
  const before = await readFile(file, 'utf8').catch(() => '')
  await appendFile(file, before === '' || before.endsWith('\n') ? line : `\n${line}`, { mode: 0o600 })
}

/** The type written inside a public key, such as `ssh-ed25519`. */
export function typeOf(key: Buffer): string {
  return key.subarray(4, 4 + key.readUInt32BE(0)).toString('latin1')
}

/** The fingerprint of a public key as `ssh` and `ssh-keygen -l` show it: `SHA256:…`. */
export function fingerprint(key: Buffer): string {
  return `SHA256:${createHash('sha256').update(key).digest('base64').replace(/=+$/, '')}`
}

function parse(text: string, file: string): Entry[] {
  return text.split('\n').flatMap((line, at) => {
    const words = line.trim().split(/\s+/)
    const marker = words[0]?.startsWith('@') ? words.shift() : undefined
    const [hosts, type, key] = words
    // Host certificates are not checked here, so the authorities that sign them say nothing either.
    if (!hosts || hosts.startsWith('#') || !type || !key || marker === '@cert-authority') return []
    return [{ marker, hosts, type, key: Buffer.from(key, 'base64'), place: `${file}:${at + 1}` }]
  })
}

/** Whether a line's first field names the host: `a,b`, `*.c`, `!d`, or `|1|salt|hash` of one name. */
function names(hosts: string, name: string): boolean {
  if (hosts.startsWith('|')) {
    const [, version, salt = '', hash = ''] = hosts.split('|')
    if (version !== '1') return false
    const own = createHmac('sha1', Buffer.from(salt, 'base64')).update(name).digest()
    const given = Buffer.from(hash, 'base64')
    return own.length === given.length && timingSafeEqual(own, given)
  }
  const patterns = hosts.toLowerCase().split(',')
  if (patterns.some((pattern) => pattern.startsWith('!') && matches(pattern.slice(1), name))) return false
  return patterns.some((pattern) => matches(pattern, name))
}

function matches(pattern: string, name: string): boolean {
  const escaped = pattern.replaceAll(/[\\^$.|+()[\]{}]/g, '\\$&')
  return new RegExp(`^${escaped.replaceAll('*', '.*').replaceAll('?', '.')}$`).test(name)
}
