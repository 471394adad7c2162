/**
 * A name server: it knows under which address the object of a name is served now.
 *
 * A name is held by a lease. The holder keeps a connection open and renews the lease with a heart-beat. The name goes away
 * at once when the connection ends, as it does when a process is killed; and when the lease has run out, if nobody says
 * that the holder is gone: its machine has lost its power, a cable is cut, the process hangs.
 */
import { setTimeout as delay } from 'node:timers/promises'
import { RpcTarget } from 'capnweb'
import { z } from 'zod'
import { accept, type Connection, type ConnectOptions, connect, defaultTimeoutMs, typeOf, within } from './remote.ts'

const defaultLeaseMs = 3_000
const mostNames = 10_000
/** So many registrations fit into one message, however long their addresses are. */
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
  /** How long its lease still lasts, if there is no other heart-beat. */
  remainingMs: number
}

interface Entry {
  address: string
  leaseMs: number
  expiresAt: number
  /** A removed one stays until its lease is over, or its holder has been told. */
  state: 'held' | 'removed' | 'replaced'
}

/** The object that a name server serves; all its clients share one. */
export class NameServer extends RpcTarget {
  readonly #entries = new Map<string, Entry>()

  /**
   * Takes a name for an address. The caller keeps the lease it gets, and renews it.
   *
   * @throws NameTakenError when the name has another holder, NameRemovedError when it was removed and its holder, back on a
   *   new connection, does not know yet; TypeError when an argument is not what it should be
   */
  register(name: string, address: string, leaseMs = defaultLeaseMs): Lease {
    accept('name', nameSchema, name)
    accept('address', addressSchema, address)
    accept('leaseMs', leaseSchema, leaseMs)
    const known = this.#known(name)
    // The same address is the same holder, back on a new connection.
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

  /** @param before the entry that may be replaced */
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

  /** What is under a name and whose lease is not over. */
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

  /** The address under which the name's object is served. Throws UnknownNameError. */
  lookup(name: string): string {
    accept('name', nameSchema, name)
    const entry = this.#live(name)
    if (!entry) throw new UnknownNameError(`no object is registered as ${name}`)
    return entry.address
  }

  /** What is registered under names that begin with `prefix`, by name: the first `mostListed` that come after `after`. */
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

  /** Takes a name from its holder, which is told so when it next renews or registers. Returns whether it was there. */
  remove(name: string): boolean {
    accept('name', nameSchema, name)
    const entry = this.#live(name)
    if (entry) entry.state = 'removed'
    return entry !== undefined
  }
}

/** A name held. Who has it may renew it; disposing of it, or losing the connection, gives the name back. */
export class Lease extends RpcTarget {
  readonly #renew: () => void
  readonly #release: () => void

  constructor(renew: () => void, release: () => void) {
    super()
    this.#renew = renew
    this.#release = release
  }

  /** The heart-beat. Throws NameRemovedError, or NameTakenError when it came too late and another holds the name. */
  renew() {
    this.#renew()
  }

  [Symbol.dispose]() {
    this.#release()
  }
}

export interface KeepOptions extends ConnectOptions {
  /** How long the name outlives its last heart-beat; a third of it lies between two of them. 3 s. */
  leaseMs?: number
  /** Called when the name is lost, and with undefined when it is held again. */
  onChange?: (lost: Error | undefined) => void
}

/**
 * Registers an address under a name and keeps it there: sends heart-beats, and registers again when the name server was
 * restarted or could not be reached. Ends when disposed of, and when the name is removed on purpose.
 *
 * @throws when the first registration fails: NameTakenError, DisconnectedError
 */
export async function keepName(
  names: string,
  name: string,
  address: string,
  { leaseMs = defaultLeaseMs, onChange, signal, ...options }: KeepOptions,
): Promise<AsyncDisposable> {
  const beatMs = leaseMs / 3
  // How long a heart-beat may take says nothing about how often one is due.
  const { timeoutMs = defaultTimeoutMs } = options
  const stopping = new AbortController()
  const stop = signal ? AbortSignal.any([signal, stopping.signal]) : stopping.signal

  async function register() {
    // Ended by the signal, so that nobody who stops waits for a server that says nothing.
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

  async function keep(held: Awaited<ReturnType<typeof register>> | undefined) {
    while (!stop.aborted) {
      try {
        if (!held) {
          held = await register()
          onChange?.(undefined)
        }
        // Sooner when the connection ends: the name is gone with it, and the heart-beat fails.
        await delay(beatMs, undefined, { signal: held.over }).catch(() => {})
        if (!stop.aborted) await within(held.lease.renew(), timeoutMs)
      } catch (error) {
        held?.connection[Symbol.dispose]()
        if (stop.aborted) return
        if (held) onChange?.(error as Error)
        held = undefined
        if (typeOf(error as Error) === 'NameRemovedError') return
        await delay(beatMs / 2, undefined, { signal: stop }).catch(() => {})
      }
    }
    held?.connection[Symbol.dispose]()
  }

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
 * @throws an Error of type UnknownNameError, or DisconnectedError when the name server cannot be reached
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
