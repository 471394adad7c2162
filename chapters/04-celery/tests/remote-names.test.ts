/** Names: taken, looked up, listed, removed; and what becomes of them when their holders or the name server die. */
import { setTimeout as delay } from 'node:timers/promises'
import { startProxy } from '@repo/common/proxy'
import { until } from '@repo/common/testing'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Connection, connect, typeOf } from '../src/remote.ts'
import { connectByName, keepName, lookUp, NameServer } from '../src/remote-names.ts'
import { newSecret, type RemoteProgram, startNameServer, startWorker } from '../src/remote-processes.ts'
import type { Exchange } from '../src/remote-rates.ts'

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

  it('gives a name to one holder, and to the next when that lets go of it', () => {
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

  it('forgets a name whose lease is over, and gives it back to a heart-beat that comes too late', async () => {
    const names = new NameServer()
    const lease = register(names, 'a', 1, 100)
    await until(() => names.list().length === 0)
    expect(() => names.lookup('a')).toThrow('no object is registered as a')
    lease.renew()
    expect(names.lookup('a')).toBe(at(1))
    await until(() => names.list().length === 0)
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
        for (const { kind, name, port } of commands) {
          const held = model.get(name)
          if (kind === 'remove') {
            expect(names.remove(name)).toBe(model.delete(name))
          } else if (kind === 'release') {
            held?.lease[Symbol.dispose]()
            model.delete(name)
          } else if (held && held.address !== at(port)) {
            expect(() => register(names, name, port)).toThrow(/is held by/)
          } else {
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

describe('a worker', () => {
  let names: RemoteProgram
  let client: Connection<NameServer>
  beforeAll(async () => {
    names = await startNameServer({ secret })
    client = await connect(names.info.address, { secret })
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
    expect(typeOf(error as Error)).toBe('UnknownNameError')
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
      { register: { names: names.info.address, name: 'hangs', leaseMs: 600 } },
    )
    worker.process.kill('SIGSTOP')
    await until(async () => !(await registered('hangs')))
    worker.process.kill('SIGCONT')
    await until(() => registered('hangs'))
  })

  it('cannot have a name that another holds, and says so', async () => {
    await using _holder = await startWorker({ secret }, { register: { names: names.info.address, name: 'held' } })
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
      ...{ secret, leaseMs: 400, timeoutMs: 400 },
      onChange: (lost) => changes.push(lost && typeOf(lost)),
    })
    await until(() => registered('silent'))
    proxy.block()
    await until(async () => !(await registered('silent')))
    await until(() => changes.length === 1)
    proxy.heal()
    await until(() => registered('silent'))
    await until(() => changes.length >= 2)
    expect(changes.slice(0, 2)).toEqual(['CallTimeoutError', undefined])
  })

  it('whose name is removed learns of it and does not take it again', async () => {
    const changes: (Error | undefined)[] = []
    const leaseMs = 300
    await using _kept = await keepName(names.info.address, 'removed', at(1), {
      ...{ secret, leaseMs },
      onChange: (lost) => changes.push(lost),
    })
    await until(() => client.remote.remove('removed'))
    await until(() => changes.length > 0)
    expect(changes[0]).toMatchObject({ type: 'NameRemovedError', message: 'removed has been removed' })
    // That it does not come back can only be seen by waiting: longer than a heart-beat and an attempt to register take.
    await delay(leaseMs)
    expect(await registered('removed')).toBe(false)
    expect(changes).toHaveLength(1)
  })

  it('gives its name back at the end', async () => {
    const kept = await keepName(names.info.address, 'ended', at(1), { secret, leaseMs: longMs })
    expect(await registered('ended')).toBe(true)
    await kept[Symbol.asyncDispose]()
    await until(async () => !(await registered('ended')))
  })
})

it('a name server that is killed and started again has its names again, and workers serve meanwhile', async () => {
  await using first = await startNameServer({ secret })
  const { address } = first.info
  const register = { names: address, leaseMs: 1_500 }
  await using _one = await startWorker({ secret }, { register: { ...register, name: 'one' } })
  await using two = await startWorker({ secret }, { register: { ...register, name: 'two' } })
  using exchange = await connectByName<Exchange>(address, 'one', { secret })
  first.process.kill('SIGKILL')
  await first.exited
  expect(await exchange.remote.calls()).toBe(1)
  await expect(lookUp(address, 'one', { secret })).rejects.toThrow('cannot be reached')

  await using _second = await startNameServer({ secret }, Number(new URL(address).port))
  using client = await connect<NameServer>(address, { secret })
  await until(async () => (await client.remote.list()).length === 2)
  expect(await client.remote.lookup('two')).toBe(two.info.address)
  expect(await exchange.remote.calls()).toBe(2)
})
