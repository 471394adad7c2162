/**
 * Which key a host has. A host is the one it claims to be only if it proves that it holds the key that a known_hosts
 * file has for it; otherwise somebody may be in between and see everything that follows.
 *
 * `ssh-keygen -F` searches the files: it knows their patterns, hashed names and markers.
 */
import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import { appendFile, mkdir, readFile } from 'node:fs/promises'
import { dirname } from 'node:path'
import { promisify } from 'node:util'
import { timeLimit } from '@repo/common/async/timer'
import { installClient } from './config.ts'

export type Verdict =
  | { verdict: 'known' }
  /** No line names the host. */
  | { verdict: 'unknown' }
  /** A line names the host with another key, or says that the key is revoked. */
  | { verdict: 'changed' | 'revoked'; place: string }
  /** The files could not be searched. */
  | { verdict: 'not searched'; why: string }

interface Line {
  marker: string | undefined
  type: string
  key: Buffer
  /** Where it is: `file:line`. */
  place: string
}

/** What known_hosts files say about one host. */
export class KnownHosts {
  readonly #lines: Line[]
  readonly #withoutPort: Line[]
  readonly #why: string | undefined

  private constructor(lines: Line[], withoutPort: Line[], why?: string) {
    this.#lines = lines
    this.#withoutPort = withoutPort
    this.#why = why
  }

  /**
   * Searches the files for a host. A file that is missing counts as empty.
   *
   * @param alias the name to search for instead of host and port
   * @param signal ends the search
   * @throws an Error for a file that cannot be read
   */
  static async search(
    files: readonly string[],
    host: string,
    port: number,
    alias?: string,
    signal = timeLimit(20_000),
  ): Promise<KnownHosts> {
    const search = async (name: string) =>
      (await Promise.all(files.map((file) => searchFile(file, name, signal)))).flat()
    try {
      if (alias !== undefined) return new KnownHosts(await search(alias), [])
      const [lines, withoutPort] = await Promise.all([
        search(nameOf(host, port)),
        port === 22 ? [] : search(nameOf(host, 22)),
      ])
      return new KnownHosts(lines, withoutPort)
    } catch (error) {
      if (!(error instanceof MissingProgramError)) throw error
      return new KnownHosts([], [], error.message)
    }
  }

  /** The types of the host's known keys. A host may have several keys, of which only some are known. */
  get types(): string[] {
    return this.#lines.flatMap(({ marker, type }) => (marker === undefined ? [type] : []))
  }

  check(key: Buffer): Verdict {
    if (this.#why !== undefined) return { verdict: 'not searched', why: this.#why }
    const verdict = judge(this.#lines, key)
    // As in OpenSSH, a line without a port also makes a host on another port known. A different key in it proves
    // nothing.
    const byName = judge(this.#withoutPort, key)
    return verdict.verdict === 'unknown' && byName.verdict !== 'changed' ? byName : verdict
  }
}

class MissingProgramError extends Error {}

async function searchFile(file: string, name: string, signal: AbortSignal): Promise<Line[]> {
  const text = await readFile(file, 'utf8').catch((cause) => {
    if (cause.code === 'ENOENT') return ''
    throw new Error(`known hosts: ${file} cannot be read`, { cause })
  })
  if (text === '') return []
  const { stdout } = await promisify(execFile)('ssh-keygen', ['-F', name, '-f', file], { signal }).catch((error) => {
    // The exit code for a name that the file does not have.
    if (error.code === 1) return { stdout: '' }
    if (error.code === 'ENOENT') throw new MissingProgramError(`the program ssh-keygen is missing: ${installClient}`)
    throw new Error(`known hosts: ssh-keygen cannot search ${file}: ${String(error.stderr).trim() || error.message}`)
  })
  // Before each line that it finds, ssh-keygen prints `# Host name found: line 3`, followed by its marker's name.
  const lines = Array.from(stdout.matchAll(/^# Host .* found: line (\d+).*\n(.*)$/gm), ([, number, line = '']) => {
    const words = line.trim().split(/\s+/)
    const marker = words[0]?.startsWith('@') ? words.shift() : undefined
    const [, type = '', key = ''] = words
    return { marker, type, key: Buffer.from(key, 'base64'), place: `${file}:${number}` }
  })
  // As for ssh, a line that was cut off has no key: it says nothing about the host.
  return lines.filter(({ key }) => isWhole(key))
}

/** Whether a public key consists of whole fields, each behind its length. */
function isWhole(key: Buffer): boolean {
  let at = 0
  while (at + 4 <= key.length) at += 4 + key.readUInt32BE(at)
  return at > 0 && at === key.length
}

function judge(lines: readonly Line[], key: Buffer): Verdict {
  const isSame = (line: Line) => line.key.equals(key)
  // A revoked key is refused even if another line would accept it.
  const revoked = lines.find((line) => line.marker === '@revoked' && isSame(line))
  if (revoked) return { verdict: 'revoked', place: revoked.place }
  // Host certificates are not checked here, so the authorities that sign them (@cert-authority) do not count.
  const own = lines.filter(({ marker }) => marker === undefined)
  if (own.some(isSame)) return { verdict: 'known' }
  const [other] = own
  return other ? { verdict: 'changed', place: other.place } : { verdict: 'unknown' }
}

/** The name of a host in known_hosts: in brackets with the port, where that is not 22. */
function nameOf(host: string, port: number): string {
  return port === 22 ? host.toLowerCase() : `[${host.toLowerCase()}]:${port}`
}

/** A line for a host and its key. */
export function knownHostsLine(host: string, port: number, key: Buffer, alias?: string): string {
  return `${alias ?? nameOf(host, port)} ${typeOf(key)} ${key.toString('base64')}\n`
}

/** Appends a line to a known_hosts file. Creates the file and its folder if they are missing, for this user only. */
export async function addKnownHost(file: string, line: string): Promise<void> {
  await mkdir(dirname(file), { recursive: true, mode: 0o700 })
  const before = await readFile(file, 'utf8').catch(() => '')
  await appendFile(file, before === '' || before.endsWith('\n') ? line : `\n${line}`, { mode: 0o600 })
}

/** The type that a public key states, such as `ssh-ed25519`. */
export function typeOf(key: Buffer): string {
  return key.subarray(4, 4 + key.readUInt32BE(0)).toString('latin1')
}

/** The fingerprint of a public key as `ssh` and `ssh-keygen -l` show it: `SHA256:…`. */
export function fingerprint(key: Buffer): string {
  return `SHA256:${createHash('sha256').update(key).digest('base64').replace(/=+$/, '')}`
}
