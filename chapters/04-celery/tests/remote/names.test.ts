/** Names: taken, looked up, listed, removed; and what becomes of them when their holders or the name server die. */
import { until } from '@repo/common/async/until'
import { startProxy } from '@repo/common/servers/proxy'
import { RpcTarget } from 'capnweb'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import type { Exchange } from '../../src/remote/exchange.ts'
import { connectByName, keepName, lookUp, mostListed, NameServer } from '../../src/remote/names.ts'
import { newSecret, type RemoteProgram, startNameServer, startWorker } from '../../src/remote/processes.ts'
import { type Connection, connect, type RemoteServer, serve, typeOf } from '../../src/remote/remote.ts'

const secret = newSecret()
const longMs = 600_000
const at = (port: number) => `ws://127.0.0.1:${port}`

describe('a name server', () => {
  const register = (names: NameServer, name: string, port: number, leaseMs = longMs) =>
    names.register(name, at(port), leaseMs)

  it('knows who is registered', () => {
    const names = new NameServer()
    register(names, 'rates.a', 1)
    register(names, 'rates.b', 2)
    register(names, 'other', 3)
    expect(names.lookup('rates.b')).toBe(at(2))
    expect(names.list('rates.').map(({ name, address }) => [name, address])).toEqual([
      ['rates.a', at(1)],
      ['rates.b', at(2)],
    ])
    expect(names.list().map(({ name }) => name)).toEqual(['other', 'rates.a', 'rates.b'])
    expect(names.list('rates.a')[0]?.remainingMs).toBeGreaterThan(longMs / 2)
    expect(() => names.lookup('rates.c')).toThrow('no object is registered as rates.c')
  })

  /** Holds the clock; it goes on when `ms` is changed. */
  function stoppedClock() {
    const clock = { ms: 0 }
    const now = vi.spyOn(performance, 'now').mockImplementation(() => clock.ms)
    return Object.assign(clock, { [Symbol.dispose]: () => now.mockRestore() })
  }

  it('gives a name to one holder, and to the next when that lets go of it', () => {
    using _clock = stoppedClock()
    const names = new NameServer()
    const lease = register(names, 'a', 1)
    expect(() => register(names, 'a', 2)).toThrow(
      /^a is held by ws:\/\/127\.0\.0\.1:1, for 600\.0 s more if it is dead$/,
    )
    lease[Symbol.dispose]()
    register(names, 'a', 2)
    // The old lease is nobody's any more.
    lease[Symbol.dispose]()
    expect(() => lease.renew()).toThrow(/held by/)
    expect(names.lookup('a')).toBe(at(2))
  })

  it('knows a holder that comes back by its address', () => {
    const names = new NameServer()
    const lost = register(names, 'a', 1)
    register(names, 'a', 1)
    // The end of the lost connection is heard of late.
    lost[Symbol.dispose]()
    expect(names.lookup('a')).toBe(at(1))
  })

  it('forgets a name whose lease is over, and gives it back to a heartbeat that comes too late', () => {
    using clock = stoppedClock()
    const names = new NameServer()
    const lease = register(names, 'a', 1, 100)
    clock.ms += 99
    expect(names.lookup('a')).toBe(at(1))
    clock.ms += 1
    expect(names.list()).toEqual([])
    expect(() => names.lookup('a')).toThrow('no object is registered as a')
    lease.renew()
    expect(names.lookup('a')).toBe(at(1))
    clock.ms += 100
    register(names, 'a', 2)
    expect(() => lease.renew()).toThrow(/held by ws:\/\/127\.0\.0\.1:2/)
  })

  it('takes a name away, and tells its holder', () => {
    const names = new NameServer()
    const lease = register(names, 'a', 1)
    expect(names.remove('a')).toBe(true)
    expect(names.remove('a')).toBe(false)
    expect(() => names.lookup('a')).toThrow('no object is registered as a')
    expect(() => lease.renew()).toThrow('a has been removed')
  })

  it('tells a holder that is back on a new connection that its name was taken away, once', () => {
    const names = new NameServer()
    const lost = register(names, 'a', 1)
    names.remove('a')
    lost[Symbol.dispose]()
    expect(() => register(names, 'a', 1)).toThrow('a has been removed')
    expect(names.list()).toEqual([])
    register(names, 'a', 1)
    expect(names.lookup('a')).toBe(at(1))
  })

  it('does not take a late heartbeat of a lost connection for that of the new one', () => {
    const names = new NameServer()
    const lost = register(names, 'a', 1)
    const again = register(names, 'a', 1)
    expect(() => lost.renew()).toThrow('a has been registered again since')
    lost[Symbol.dispose]()
    again.renew()
    expect(names.lookup('a')).toBe(at(1))
  })

  it('lists many names a thousand at a time, the longest ones within a message', async () => {
    const names = new NameServer()
    const address = `ws://${'"'.repeat(295)}`
    for (let n = 0; n < 2 * mostListed + 1; n++) names.register(`n${String(n).padStart(99, '0')}`, address, longMs)
    await using server = await serve(() => names, { secret })
    using client = await connect<NameServer>(server.address, { secret })
    const listed: string[] = []
    for (let page = await client.remote.list('n'); page.length > 0; ) {
      listed.push(...page.map(({ name }) => name))
      page = await client.remote.list('n', listed.at(-1))
    }
    expect(new Set(listed).size).toBe(2 * mostListed + 1)
    expect(listed).toEqual(listed.toSorted())
  })

  it.each<[unknown, unknown, unknown]>([
    ['', at(1), longMs],
    ['__proto__', at(1), longMs],
    ['1a', at(1), longMs],
    ['a b', at(1), longMs],
    ['a\nb', at(1), longMs],
    ['a'.repeat(101), at(1), longMs],
    [42, at(1), longMs],
    [{ toString: () => 'a' }, at(1), longMs],
    ['a', 'http://127.0.0.1:1', longMs],
    ['a', 'ws://', longMs],
    ['a', null, longMs],
    ['a', 'ws://host:1\n', longMs],
    ['a', at(1), 99],
    ['a', at(1), 1e9],
    ['a', at(1), Number.NaN],
    ['a', at(1), '1000'],
  ])('refuses to register %j, %j, %j', (name, address, leaseMs) => {
    const names = new NameServer()
    expect(() => names.register(name as string, address as string, leaseMs as number)).toThrow(TypeError)
    expect(names.list()).toEqual([])
  })

  it('lists, looks up and removes as a table would', () => {
    const name = fc.constantFrom('a', 'a.b', 'a.c', 'b', 'constructor', 'toString')
    const command = fc.record({
      kind: fc.constantFrom('register', 'release', 'remove'),
      name,
      port: fc.integer({ min: 1, max: 3 }),
    })
    fc.assert(
      fc.property(fc.array(command, { maxLength: 30 }), fc.constantFrom('', 'a', 'a.', 'x'), (commands, prefix) => {
        const names = new NameServer()
        const model = new Map<string, { address: string; lease: Disposable }>()
        const removed = new Map<string, string>()
        for (const { kind, name, port } of commands) {
          const held = model.get(name)
          if (kind === 'remove') {
            expect(names.remove(name)).toBe(model.delete(name))
            if (held) removed.set(name, held.address)
          } else if (kind === 'release') {
            held?.lease[Symbol.dispose]()
            model.delete(name)
          } else if (held && held.address !== at(port)) {
            expect(() => register(names, name, port)).toThrow(/is held by/)
          } else if (!held && removed.get(name) === at(port)) {
            expect(() => register(names, name, port)).toThrow(/has been removed/)
            removed.delete(name)
          } else {
            removed.delete(name)
            model.set(name, { address: at(port), lease: register(names, name, port) })
          }
        }
        const expected = [...model].filter(([name]) => name.startsWith(prefix)).sort(([a], [b]) => (a < b ? -1 : 1))
        expect(names.list(prefix).map(({ name, address }) => [name, address])).toEqual(
          expected.map(([name, { address }]) => [name, address]),
        )
      }),
    )
  })
})

describe('a name server that is sent what nobody should send', () => {
  const names = new NameServer()
  let server: RemoteServer
  let neighbour: Connection<NameServer>
  let lease: Disposable
  beforeAll(async () => {
    server = await serve(() => names, { secret })
    neighbour = await connect<NameServer>(server.address, { secret })
    lease = await neighbour.remote.register('neighbour', at(1), longMs)
  })
  afterAll(async () => {
    lease[Symbol.dispose]()
    neighbour[Symbol.dispose]()
    await server[Symbol.asyncDispose]()
  })
  const evil = JSON.parse('{"__proto__":{"polluted":true},"constructor":{"prototype":{"polluted":true}}}') as unknown

  it.each<[string, string, unknown[], RegExp]>([
    ['a name of 10 MB', 'lookup', ['x'.repeat(10_000_000)], /a message was larger than it accepts/],
    [
      'an address of 10 MB',
      'register',
      ['a', `ws://${'x'.repeat(10_000_000)}`],
      /a message was larger than it accepts/,
    ],
    ['the name __proto__', 'register', ['__proto__', at(1)], /^name: accepts a letter/],
    ['an object with __proto__ as a name', 'register', [evil, at(1)], /^name: /],
    ['an object with __proto__ as a prefix', 'list', [evil], /^prefix: /],
    ['a number as a prefix', 'list', [42], /^prefix: /],
    ['a list after which to list', 'list', ['', ['a']], /^after: /],
    ['nothing to remove', 'remove', [null], /^name: /],
    ['a lease of a wrong type', 'register', ['a', at(1), '1000'], /^leaseMs: /],
    ['a name every object inherits', 'lookup', ['constructor'], /^no object is registered as constructor/],
    ['a missing method', 'eval', ['globalThis.hacked = true'], /not a function/],
  ])('(%s) refuses it with a clear error, and keeps the names of others', async (_, method, args, message) => {
    using far = await connect<NameServer>(server.address, { secret })
    const untyped = far.remote as unknown as Record<string, (...args: unknown[]) => Promise<unknown>>
    await expect(untyped[method]?.(...args)).rejects.toThrow(message)
    expect((await neighbour.remote.list()).map(({ name }) => name)).toEqual(['neighbour'])
    expect(await neighbour.remote.lookup('neighbour')).toBe(at(1))
    expect(Object.keys(Object.prototype)).toEqual([])
    expect(globalThis).not.toHaveProperty('hacked')
  })
})

describe('a worker', () => {
  let names: RemoteProgram
  let client: Connection<NameServer>
  beforeAll(async () => {
    names = await startNameServer({ secret })
    client = await connect<NameServer>(names.info.address, { secret })
  })
  afterAll(async () => {
    client[Symbol.dispose]()
    await names.stop()
  })
  const registered = async (name: string) => (await client.remote.list(name)).length === 1

  it('is found by its name, until it stops', async () => {
    await using worker = await startWorker({ secret }, { register: { names: names.info.address, name: 'stops' } })
    using exchange = await connectByName<Exchange>(names.info.address, 'stops', { secret })
    expect(await exchange.remote.convert(1, 'usd', 'usd')).toBe(1)
    await worker.stop()
    await until(async () => !(await registered('stops')))
    const error = await lookUp(names.info.address, 'stops', { secret }).catch((error: Error) => error)
    expect(typeOf(error)).toBe('UnknownNameError')
  })

  it('that is killed loses its name with its connection, long before its lease is over', async () => {
    await using worker = await startWorker(
      { secret },
      { register: { names: names.info.address, name: 'killed', leaseMs: longMs } },
    )
    expect(await registered('killed')).toBe(true)
    worker.process.kill('SIGKILL')
    await until(async () => !(await registered('killed')))
  })

  it.skipIf(process.platform === 'win32')('that hangs loses its name, and has it again when it goes on', async () => {
    await using worker = await startWorker(
      { secret },
      { register: { names: names.info.address, name: 'hangs', leaseMs: 1_500 } },
    )
    worker.process.kill('SIGSTOP')
    await until(async () => !(await registered('hangs')))
    worker.process.kill('SIGCONT')
    await until(() => registered('hangs'))
  })

  it('cannot have a name that another holds, and says so', async () => {
    await using _holder = await keepName(names.info.address, 'held', at(2), { secret, leaseMs: longMs })
    await expect(keepName(names.info.address, 'held', at(1), { secret })).rejects.toThrow(/^held is held by /)
  })

  it('cannot register without the secret, or with no name server', async () => {
    await expect(keepName(names.info.address, 'a', at(1), { secret: newSecret() })).rejects.toThrow(
      'refuses the secret',
    )
    await expect(keepName(at(1), 'a', at(1), { secret })).rejects.toThrow('cannot be reached')
  })

  it('whose link to the name server falls silent is registered again when it is back', async () => {
    await using proxy = await startProxy({ port: Number(new URL(names.info.address).port) })
    const changes: (string | undefined)[] = []
    await using _kept = await keepName(at(proxy.port), 'silent', at(1), {
      secret,
      leaseMs: 1_500,
      timeoutMs: 2_000,
      onChange: (lost) => changes.push(lost && typeOf(lost)),
    })
    await until(() => registered('silent'))
    proxy.block()
    await until(async () => !(await registered('silent')))
    await until(() => changes.length >= 1)
    proxy.heal()
    await until(() => registered('silent'))
    await until(() => changes.length >= 2)
    expect(changes.slice(0, 2)).toEqual(['CallTimeoutError', undefined])
  })

  it('whose name is removed learns of it and does not take it again', async () => {
    const changes: (Error | undefined)[] = []
    const leaseMs = 1_500
    await using _kept = await keepName(names.info.address, 'removed', at(1), {
      secret,
      leaseMs,
      onChange: (lost) => changes.push(lost),
    })
    await until(() => client.remote.remove('removed'))
    await until(() => changes.length > 0)
    expect(changes[0]).toMatchObject({ type: 'NameRemovedError', message: 'removed has been removed' })
    // That it does not come back can only be seen by waiting as long as one takes that does: this one loses its
    // connection later and is registered again.
    const witness: (Error | undefined)[] = []
    await using proxy = await startProxy({ port: Number(new URL(names.info.address).port) })
    await using _witness = await keepName(at(proxy.port), 'witness', at(2), {
      secret,
      leaseMs,
      onChange: (lost) => witness.push(lost),
    })
    proxy.cut()
    await until(() => witness.length === 2)
    expect(witness[1]).toBeUndefined()
    expect(await registered('removed')).toBe(false)
    expect(changes).toHaveLength(1)
  })

  it('gives its name back at the end', async () => {
    const kept = await keepName(names.info.address, 'ended', at(1), { secret, leaseMs: longMs })
    expect(await registered('ended')).toBe(true)
    await kept[Symbol.asyncDispose]()
    await until(async () => !(await registered('ended')))
  })

  it('that stops does not wait for a name server that says nothing', async () => {
    const asked = Promise.withResolvers<void>()
    class MuteLease extends RpcTarget {
      renew() {
        asked.resolve()
        return new Promise<never>(() => {})
      }
    }
    class MuteNames extends RpcTarget {
      register() {
        return new MuteLease()
      }
    }
    await using mute = await serve(() => new MuteNames(), { secret })
    const kept = await keepName(mute.address, 'mute', at(1), { secret, leaseMs: 150, timeoutMs: longMs })
    await asked.promise
    await kept[Symbol.asyncDispose]()
  })
})

it('a name server that is killed and started again has its names again, and workers serve meanwhile', async () => {
  await using first = await startNameServer({ secret })
  const { address } = first.info
  const register = { names: address, leaseMs: 1_500 }
  await using _one = await startWorker({ secret }, { register: { ...register, name: 'one' } })
  await using _two = await keepName(address, 'two', at(2), { secret, leaseMs: register.leaseMs })
  // A worker that gets no processor may lose its name for a moment.
  using exchange = await until(() => connectByName<Exchange>(address, 'one', { secret }))
  await first.kill()
  expect(await exchange.remote.calls()).toBe(1)
  await expect(lookUp(address, 'one', { secret })).rejects.toThrow('cannot be reached')

  await using _second = await startNameServer({ secret }, Number(new URL(address).port))
  using client = await connect<NameServer>(address, { secret })
  const listed = await until(async () => {
    const all = await client.remote.list()
    return all.length === 2 ? all : undefined
  })
  expect(listed.find(({ name }) => name === 'two')?.address).toBe(at(2))
  expect(await exchange.remote.calls()).toBe(2)
})
