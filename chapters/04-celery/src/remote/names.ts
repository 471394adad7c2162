/**
 * A name server: it knows the address at which the object of a name is served now.
 *
 * A name is held by a lease. The holder keeps a connection open and renews the lease with a heartbeat. When the
 * connection ends, as it does when a process is killed, the name goes away at once. A machine without power, a cut
 * cable or a process that hangs ends no connection; then the name goes away when the lease has run out.
 */
import { setTimeout as delay } from 'node:timers/promises'
import { errorOf } from '@repo/common/output/errors'
import { RpcTarget } from 'capnweb'
import { z } from 'zod'
import { accept, type Connection, type ConnectOptions, connect, defaultTimeoutMs, typeOf, within } from './remote.ts'

const defaultLeaseMs = 3_000
const mostNames = 10_000
/** This many registrations fit into one message, even with the longest addresses. */
export const mostListed = 1_000

const nameSchema = z
  .string()
  .regex(
    /^[a-z][\w.-]{0,99}$/i,
    'accepts a letter and then up to 99 letters, digits, dots, minus signs and underscores',
  )
const addressSchema = z
  .string()
  .max(300)
  .regex(/^wss?:\/\/[!-~]+$/, 'accepts ws://host:port')
const leaseSchema = z.int().min(100).max(600_000)

class UnknownNameError extends Error {
  override name = 'UnknownNameError'
}
class NameTakenError extends Error {
  override name = 'NameTakenError'
}
class NameRemovedError extends Error {
  override name = 'NameRemovedError'
}

export interface Registration {
  name: string
  address: string
  /** How long the lease lasts without another heartbeat. */
  remainingMs: number
}

interface Entry {
  address: string
  leaseMs: number
  expiresAt: number
  /** A removed entry stays until its lease has run out or its holder has been told. */
  state: 'held' | 'removed' | 'replaced'
}

/** The object that a name server serves. All clients share one. */
export class NameServer extends RpcTarget {
  readonly #entries = new Map<string, Entry>()

  /**
   * Takes a name for an address. The caller keeps the lease that is returned, and renews it.
   *
   * @throws NameTakenError if the name has another holder; NameRemovedError if the name was removed, to a holder that
   *   is back on a new connection and does not know it yet; TypeError if an argument is wrong
   */
  register(name: string, address: string, leaseMs = defaultLeaseMs): Lease {
    accept('name', nameSchema, name)
    accept('address', addressSchema, address)
    accept('leaseMs', leaseSchema, leaseMs)
    const known = this.#known(name)
    // The same address means the same holder, back on a new connection.
    const before = known?.address === address ? known : undefined
    if (before?.state === 'removed') this.#tellRemoved(name, before)
    const entry: Entry = { address, leaseMs, expiresAt: 0, state: 'held' }
    this.#take(name, entry, before)
    if (before) before.state = 'replaced'
    return new Lease(
      () => this.#renew(name, entry),
      () => {
        if (this.#entries.get(name) === entry && entry.state === 'held') this.#entries.delete(name)
      },
    )
  }

  #renew(name: string, entry: Entry) {
    if (entry.state === 'removed') this.#tellRemoved(name, entry)
    if (entry.state === 'replaced') throw new NameTakenError(`${name} has been registered again since`)
    this.#take(name, entry, entry)
  }

  /** @param before an entry that may be replaced */
  #take(name: string, entry: Entry, before: Entry | undefined) {
    const holder = this.#live(name)
    if (holder && holder !== before) {
      const seconds = ((holder.expiresAt - performance.now()) / 1000).toFixed(1)
      throw new NameTakenError(`${name} is held by ${holder.address}, for ${seconds} s more if it is dead`)
    }
    if (!holder && this.#all().length >= mostNames) throw new RangeError(`there are ${mostNames} names already`)
    entry.expiresAt = performance.now() + entry.leaseMs
    this.#entries.set(name, entry)
  }

  #tellRemoved(name: string, entry: Entry): never {
    if (this.#entries.get(name) === entry) this.#entries.delete(name)
    throw new NameRemovedError(`${name} has been removed`)
  }

  /** The entry of a name, if its lease has not run out. */
  #known(name: string): Entry | undefined {
    const entry = this.#entries.get(name)
    if (entry && entry.expiresAt > performance.now()) return entry
    this.#entries.delete(name)
    return undefined
  }

  #live(name: string): Entry | undefined {
    const entry = this.#known(name)
    return entry?.state === 'held' ? entry : undefined
  }

  #all(): [string, Entry][] {
    return [...this.#entries].filter(([name]) => this.#known(name))
  }

  /** Returns the address at which the name's object is served. Throws UnknownNameError. */
  lookup(name: string): string {
    accept('name', nameSchema, name)
    const entry = this.#live(name)
    if (!entry) throw new UnknownNameError(`no object is registered as ${name}`)
    return entry.address
  }

  /**
   * Returns the registrations whose names begin with `prefix`, by name: the first `mostListed` after the name `after`.
   */
  list(prefix = '', after = ''): Registration[] {
    accept('prefix', z.string().max(100), prefix)
    accept('after', z.string().max(100), after)
    const now = performance.now()
    return this.#all()
      .filter(([name, { state }]) => state === 'held' && name.startsWith(prefix) && name > after)
      .map(([name, { address, expiresAt }]) => ({ name, address, remainingMs: Math.round(expiresAt - now) }))
      .sort((a, b) => (a.name < b.name ? -1 : 1))
      .slice(0, mostListed)
  }

  /**
   * Takes a name from its holder, which learns it when it next renews or registers. Returns whether the name was there.
   */
  remove(name: string): boolean {
    accept('name', nameSchema, name)
    const entry = this.#live(name)
    if (entry) entry.state = 'removed'
    return entry !== undefined
  }
}

/** The hold on a name. Its owner may renew it; disposing of it, or losing the connection, gives the name back. */
export class Lease extends RpcTarget {
  readonly #renew: () => void
  readonly #release: () => void

  constructor(renew: () => void, release: () => void) {
    super()
    this.#renew = renew
    this.#release = release
  }

  /** The heartbeat. Throws NameRemovedError, or NameTakenError if it comes too late and the name has another holder. */
  renew() {
    this.#renew()
  }

  [Symbol.dispose]() {
    this.#release()
  }
}

export interface KeepOptions extends ConnectOptions {
  /** How long the name outlives its last heartbeat; 3 s by default. Heartbeats come three times as often. */
  leaseMs?: number
  /** Called with an error when the name is lost, and with undefined when it is held again. */
  onChange?: (lost: Error | undefined) => void
}

/**
 * Registers an address under a name and keeps it there: it sends heartbeats, and registers again after the name server
 * was restarted or could not be reached. It ends when it is disposed of, or when somebody removes the name on purpose.
 *
 * @throws if the first registration fails: NameTakenError, DisconnectedError
 */
export async function keepName(
  names: string,
  name: string,
  address: string,
  { leaseMs = defaultLeaseMs, onChange, signal, ...options }: KeepOptions,
): Promise<AsyncDisposable> {
  const beatMs = leaseMs / 3
  // The time limit of a heartbeat has nothing to do with how often one is due.
  const { timeoutMs = defaultTimeoutMs } = options
  const stopping = new AbortController()
  const stop = signal ? AbortSignal.any([signal, stopping.signal]) : stopping.signal

  async function register() {
    // The signal ends it, so that stopping does not wait for a server that does not answer.
    const connection = await connect<NameServer>(names, { ...options, signal: stop })
    try {
      const lease = await within(connection.remote.register(name, address, leaseMs), timeoutMs)
      const ended = new AbortController()
      void connection.closed.then(() => ended.abort())
      return { lease, connection, over: AbortSignal.any([stop, ended.signal]) }
    } catch (error) {
      connection[Symbol.dispose]()
      throw error
    }
  }

  // #region keep
  async function keep(held: Awaited<ReturnType<typeof register>> | undefined) {
    while (!stop.aborted) {
      try {
        if (!held) {
          held = await register()
          onChange?.(undefined)
        }
        // Sooner if the connection ends: then the name is gone, and the heartbeat fails.
        await delay(beatMs, undefined, { signal: held.over }).catch(() => {})
        if (!stop.aborted) await within(held.lease.renew(), timeoutMs)
      } catch (error) {
        held?.connection[Symbol.dispose]()
        if (stop.aborted) return
        if (held) onChange?.(errorOf(error))
        held = undefined
        if (typeOf(error) === 'NameRemovedError') return
        await delay(beatMs / 2, undefined, { signal: stop }).catch(() => {})
      }
    }
    held?.connection[Symbol.dispose]()
  }
  // #endregion keep

  const kept = keep(await register())
  return {
    async [Symbol.asyncDispose]() {
      stopping.abort()
      await kept
    },
  }
}

/**
 * Asks a name server for the address of a name.
 *
 * @throws an Error of type UnknownNameError, or DisconnectedError if the name server cannot be reached
 */
export async function lookUp(names: string, name: string, options: ConnectOptions): Promise<string> {
  using server = await connect<NameServer>(names, options)
  return await within(server.remote.lookup(name), options.timeoutMs ?? defaultTimeoutMs)
}

/** Connects to the object of a name. Throws what `lookUp` and `connect` throw. */
export async function connectByName<T extends RpcTarget>(
  names: string,
  name: string,
  options: ConnectOptions,
): Promise<Connection<T>> {
  return await connect<T>(await lookUp(names, name, options), options)
}
