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
import { accept, type Connection, type ConnectOptions, connect, typeOf, within } from './remote.ts'

const defaultLeaseMs = 3_000
const mostNames = 10_000

const nameSchema = z
  .string()
  .regex(
    /^[a-z][\w.-]{0,99}$/i,
    'accepts a letter and then up to 99 letters, digits, dots, minus signs and underscores',
  )
const addressSchema = z
  .string()
  .max(300)
  .regex(/^wss?:\/\/[^\s/]+/, 'accepts ws://host:port')
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
  removed: boolean
}

/** The object that a name server serves; all its clients share one. */
export class NameServer extends RpcTarget {
  readonly #entries = new Map<string, Entry>()

  /**
   * Takes a name for an address. The caller keeps the lease it gets, and renews it.
   *
   * @throws NameTakenError when the name has another holder, TypeError when an argument is not what it should be
   */
  register(name: string, address: string, leaseMs = defaultLeaseMs): Lease {
    accept('name', nameSchema, name)
    accept('address', addressSchema, address)
    accept('leaseMs', leaseSchema, leaseMs)
    const entry: Entry = { address, leaseMs, expiresAt: 0, removed: false }
    this.#take(name, entry)
    return new Lease(
      () => this.#take(name, entry),
      () => {
        if (this.#entries.get(name) === entry) this.#entries.delete(name)
      },
    )
  }

  #take(name: string, entry: Entry) {
    const holder = this.#live(name)
    if (entry.removed) throw new NameRemovedError(`${name} has been removed`)
    // The same address is the same holder, back on a new connection.
    if (holder && holder.address !== entry.address) {
      const seconds = ((holder.expiresAt - performance.now()) / 1000).toFixed(1)
      throw new NameTakenError(`${name} is held by ${holder.address}, for ${seconds} s more if it is dead`)
    }
    if (!holder && this.#list().length >= mostNames) throw new RangeError(`there are ${mostNames} names already`)
    entry.expiresAt = performance.now() + entry.leaseMs
    this.#entries.set(name, entry)
  }

  #live(name: string): Entry | undefined {
    const entry = this.#entries.get(name)
    if (entry && entry.expiresAt > performance.now()) return entry
    this.#entries.delete(name)
    return undefined
  }

  #list(): [string, Entry][] {
    return [...this.#entries].filter(([name]) => this.#live(name))
  }

  /** The address under which the name's object is served. Throws UnknownNameError. */
  lookup(name: string): string {
    accept('name', nameSchema, name)
    const entry = this.#live(name)
    if (!entry) throw new UnknownNameError(`no object is registered as ${name}`)
    return entry.address
  }

  /** What is registered under names that begin with `prefix`, by name. */
  list(prefix = ''): Registration[] {
    accept('prefix', z.string().max(100), prefix)
    const now = performance.now()
    return this.#list()
      .filter(([name]) => name.startsWith(prefix))
      .map(([name, { address, expiresAt }]) => ({ name, address, remainingMs: Math.round(expiresAt - now) }))
      .sort((a, b) => (a.name < b.name ? -1 : 1))
  }

  /** Takes a name from its holder, whose next heart-beat is told so. Returns whether it was there. */
  remove(name: string): boolean {
    accept('name', nameSchema, name)
    const entry = this.#live(name)
    if (entry) entry.removed = true
    return this.#entries.delete(name) && entry !== undefined
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
  { leaseMs = defaultLeaseMs, onChange, ...options }: KeepOptions,
): Promise<AsyncDisposable> {
  const beatMs = leaseMs / 3
  const stopping = new AbortController()
  const stop = options.signal ? AbortSignal.any([options.signal, stopping.signal]) : stopping.signal

  async function register() {
    const connection = await connect<NameServer>(names, options)
    try {
      const lease = await within(connection.remote.register(name, address, leaseMs), leaseMs)
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
        if (!stop.aborted) await within(held.lease.renew(), leaseMs)
      } catch (error) {
        if (held) onChange?.(error as Error)
        held?.connection[Symbol.dispose]()
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
  return await within(server.remote.lookup(name), options.timeoutMs ?? 5_000)
}

/** Connects to the object of a name. Throws what `lookUp` and `connect` throw. */
export async function connectByName<T extends RpcTarget>(
  names: string,
  name: string,
  options: ConnectOptions,
): Promise<Connection<T>> {
  return await connect<T>(await lookUp(names, name, options), options)
}
