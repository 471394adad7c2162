/** Objects served to other processes: calls, callbacks, references, errors, and connections that end. */
import { setTimeout as delay } from 'node:timers/promises'
import { inspect } from 'node:util'
import { until } from '@repo/common/async/until'
import { messageOf } from '@repo/common/output/errors'
import { startProxy } from '@repo/common/servers/proxy'
import { pairsOf, readRate } from '@repo/common/workloads/rates'
import { RpcTarget } from 'capnweb'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { serveObject } from '../../src/remote/daemon.ts'
import { Exchange } from '../../src/remote/exchange.ts'
import { newSecret, startNameServer, startWorker } from '../../src/remote/processes.ts'
import { type Connection, connect, type RemoteServer, serve, typeOf, within } from '../../src/remote/remote.ts'

const secret = newSecret()
const usdToEur = { from: 'usd', to: 'eur' }
const journey = ['usd', 'eur', 'jpy', 'gbp', 'cny', 'aud']

let server: RemoteServer
let connection: Connection<Exchange>
beforeAll(async () => {
  server = await serve(() => new Exchange(), { secret })
  connection = await connect<Exchange>(server.address, { secret })
})
afterAll(async () => {
  connection[Symbol.dispose]()
  await server[Symbol.asyncDispose]()
})

const proxyTo = (address: string) => startProxy({ port: Number(new URL(address).port) })
const portOf = ({ port }: { port: number }) => `ws://127.0.0.1:${port}`

/** Five conversions, each of the result of the one before, in one round trip. */
async function convertPipelined({ remote }: Connection<Exchange>, amount: number): Promise<number> {
  using euros = remote.convert(amount, 'usd', 'eur')
  using yen = remote.convert(euros, 'eur', 'jpy')
  using pounds = remote.convert(yen, 'jpy', 'gbp')
  using yuan = remote.convert(pounds, 'gbp', 'cny')
  using dollars = remote.convert(yuan, 'cny', 'aud')
  return await dollars
}

describe('calls', () => {
  const pairs = pairsOf(40)

  it('return what the object returns, one after the other and all at once', async () => {
    const expected = await Promise.all(pairs.map(async (pair) => (await readRate(pair)).rate))
    const { remote } = connection
    const inTurn: number[] = []
    for (const pair of pairs) inTurn.push((await remote.rate(pair)).rate)
    expect(inTurn).toEqual(expected)
    expect((await Promise.all(pairs.map((pair) => remote.rate(pair)))).map(({ rate }) => rate)).toEqual(expected)
  })

  it('that need the result before go out before any answer comes, and only the last is answered', async () => {
    let expected = 100
    for (const [at, from] of journey.slice(0, -1).entries()) {
      expected *= (await readRate({ from, to: journey[at + 1] ?? '' })).rate
    }
    const before = { ...connection.traffic }
    const pipelined = convertPipelined(connection, 100)
    // Nothing was awaited yet: five calls, and one request for a result.
    await Promise.resolve()
    expect(connection.traffic).toEqual({ sent: before.sent + 6, received: before.received })
    expect(await pipelined).toBeCloseTo(expected, 9)
    expect(connection.traffic.received).toBe(before.received + 1)
  })

  it('leave nothing behind at either end', async () => {
    // On a connection of its own: other tests may still hold references.
    using own = await connect<Exchange>(server.address, { secret })
    await own.remote.rate(usdToEur)
    await convertPipelined(own, 1)
    await until(() => own.references().imports === 1 && own.references().exports === 1)
  })
})

describe('errors', () => {
  it('of the method arrive with their type and message, and without its stack', async () => {
    const error = await connection.remote.rate({ from: 'usd', to: 'nosuch' }).then(
      () => undefined,
      (error: Error) => error,
    )
    expect(error).toMatchObject({ type: 'UnknownCurrencyError', message: 'there is no currency "nosuch"' })
    expect(error?.stack).not.toContain('exchange.ts')
  })

  it.each<[unknown, string]>([
    [undefined, 'pair: '],
    [null, 'pair: '],
    [42, 'pair: '],
    ['usd/eur', 'pair: '],
    [[], 'pair: '],
    [{}, 'pair.from: '],
    [{ from: 'usd' }, 'pair.to: '],
    [{ from: ['usd'], to: 'eur' }, 'pair.from: '],
    [{ from: '../usd', to: 'eur' }, 'pair.from: '],
    [{ from: 'usd', to: 'E'.repeat(1000) }, 'pair.to: '],
  ])('say which argument is wrong: %j', async (pair, start) => {
    const error = await connection.remote.rate(pair as never).catch((error: Error) => error)
    expect(error).toBeInstanceOf(TypeError)
    expect((error as Error).message.startsWith(start)).toBe(true)
    expect((error as Error).message).not.toContain('\n')
  })
})

describe('what a method throws or returns', () => {
  const strange = Object.assign(new Error('strange'), { message: { code: 42 } })
  const refused = Object.assign(new Error('WRONGPASS', { cause: new Error('hunter2') }), {
    command: ['auth', 'hunter2'],
  })
  const thrown: unknown[] = [null, undefined, 'text', 42, strange, new RangeError('x'.repeat(5_000_000)), refused]
  class Thrower extends RpcTarget {
    throw(at: number) {
      throw thrown[at]
    }
    large() {
      return 'x'.repeat(2 << 20)
    }
  }

  it('arrives with a type and a short message, nothing else, and ends no connection', async () => {
    await using strangeServer = await serve(() => new Thrower(), { secret })
    using client = await connect<Thrower>(strangeServer.address, { secret })
    const caught: unknown[] = []
    for (const at of thrown.keys()) await client.remote.throw(at).catch((error: unknown) => caught.push(error))
    expect(caught.map((error) => [typeOf(error), messageOf(error)])).toEqual([
      ['null', 'null'],
      ['undefined', 'undefined'],
      ['string', 'text'],
      ['number', '42'],
      ['Error', '{ code: 42 }'],
      ['RangeError', 'x'.repeat(2_000)],
      ['Error', 'WRONGPASS'],
    ])
    // An error of ioredis has the password among its properties.
    expect(inspect(caught.at(-1), { depth: 9 })).not.toContain('hunter2')
  })

  it('is larger than a message may be: the connection ends, and says why', async () => {
    await using strangeServer = await serve(() => new Thrower(), { secret })
    using client = await connect<Thrower>(strangeServer.address, { secret })
    await expect(within(client.remote.large(), 60_000)).rejects.toThrow(
      `${strangeServer.address} sent a message larger than this end accepts`,
    )
  })
})

describe('times', () => {
  it('may be longer than Node’s timers, or without end', async () => {
    const days = 24 * 3_600_000
    for (const timeoutMs of [30 * days, Number.POSITIVE_INFINITY]) {
      using client = await connect<Exchange>(server.address, { secret, timeoutMs })
      expect(await within(client.remote.rate(usdToEur), timeoutMs)).toMatchObject({ rate: expect.any(Number) })
    }
    await using patient = await serve(() => new Exchange(), { secret, pingEveryMs: Number.POSITIVE_INFINITY })
    using client = await connect<Exchange>(patient.address, { secret })
    expect(await client.remote.convert(1, 'usd', 'usd')).toBe(1)
  })

  it('are refused in one line where they are none', async () => {
    await expect(connect(server.address, { secret, timeoutMs: Number.NaN })).rejects.toThrow(
      'timeoutMs: received NaN; ',
    )
    await expect(within(Promise.resolve(1), -1)).rejects.toThrow('timeoutMs: received -1; accepts milliseconds')
    const nothing = () => new Exchange()
    await expect(serve(nothing, { secret, pingEveryMs: Number.NaN })).rejects.toThrow('pingEveryMs: received NaN; ')
  })
})

describe('functions', () => {
  it('of the client are called by the server while it works', async () => {
    const pairs = pairsOf(5)
    const reports: [number, number][] = []
    const rates = await connection.remote.rates(pairs, (done, total) => {
      reports.push([done, total])
    })
    expect(rates.map(({ from, to }) => ({ from, to }))).toEqual(pairs)
    expect(reports).toEqual([1, 2, 3, 4, 5].map((done) => [done, 5]))
  })

  it('of the client that throw do not disturb the server', async () => {
    const rates = await connection.remote.rates(pairsOf(3), () => {
      throw new Error('a bug in the client')
    })
    expect(rates).toHaveLength(3)
  })

  it('are refused where something else is given', async () => {
    await expect(connection.remote.rates([], 42 as never)).rejects.toThrow(/^progress: /)
  })
})

describe('references', () => {
  const open = () => connection.remote.openPurses()

  it('hold an object at the other end until they are disposed of', async () => {
    {
      using euros = connection.remote.purse(100, 'eur')
      using yen = euros.into('jpy')
      expect(await yen.amount()).toBeCloseTo(100 * (await readRate({ from: 'eur', to: 'jpy' })).rate, 9)
      expect(await open()).toBe(2)
    }
    await until(async () => (await open()) === 0)
  })

  it('to results between count too: who does not name them cannot let go of them', async () => {
    using other = await connect<Exchange>(server.address, { secret })
    {
      using yen = other.remote.purse(100, 'eur').into('jpy')
      await yen.amount()
    }
    await until(async () => (await open()) === 1)
    // The end of the connection does.
    other[Symbol.dispose]()
    await until(async () => (await open()) === 0)
  })

  it('are released when the connection is cut', async () => {
    await using proxy = await proxyTo(server.address)
    using far = await connect<Exchange>(portOf(proxy), { secret })
    using purse = far.remote.purse(1, 'usd')
    await purse.amount()
    expect(await open()).toBe(1)
    proxy.cut()
    await until(async () => (await open()) === 0)
    await expect(purse.amount()).rejects.toThrow('the connection was cut')
  })
})

describe('connections', () => {
  it('that are cut fail the calls under way, at once and with the same error', async () => {
    await using proxy = await proxyTo(server.address)
    using far = await connect<Exchange>(portOf(proxy), { secret })
    await far.remote.rate(usdToEur)
    proxy.block()
    const calls = [far.remote.rate(usdToEur), far.remote.convert(1, 'usd', 'eur')].map((call) =>
      call.then(
        () => undefined,
        (error: unknown) => error,
      ),
    )
    proxy.cut()
    const [first, second] = await Promise.all(calls)
    expect(first).toMatchObject({
      name: 'DisconnectedError',
      message: expect.stringContaining('the connection was cut'),
    })
    expect(second).toBe(first)
    expect(await far.closed).toBe(first)
    proxy.heal()
    using again = await connect<Exchange>(portOf(proxy), { secret })
    expect(await again.remote.rate(usdToEur)).toMatchObject(usdToEur)
  })

  it('that are silent time out, and go on when they are not', async () => {
    await using proxy = await proxyTo(server.address)
    using far = await connect<Exchange>(portOf(proxy), { secret })
    await far.remote.rate(usdToEur)
    proxy.block()
    await expect(within(far.remote.rate(usdToEur), 50)).rejects.toMatchObject({
      name: 'CallTimeoutError',
      message: 'no answer within 50 ms',
    })
    await expect(connect(portOf(proxy), { secret, timeoutMs: 50 })).rejects.toThrow(/cannot be reached: .*timed out/)
    proxy.heal()
    expect(await far.remote.rate(usdToEur)).toMatchObject(usdToEur)
    await until(() => far.references().imports === 1)
  })

  it('to a client that is silent are dropped, with what it held', async () => {
    await using pinging = await serve(() => new Exchange(), { secret, pingEveryMs: 1_000 })
    await using proxy = await proxyTo(pinging.address)
    using far = await connect<Exchange>(portOf(proxy), { secret })
    using purse = far.remote.purse(1, 'usd')
    expect(await purse.amount()).toBe(1)
    proxy.block()
    await until(() => pinging.connections === 0)
    expect(await connection.remote.openPurses()).toBe(0)
  })

  it('to a server that stops say so', async () => {
    const stopping = await serve(() => new Exchange(), { secret })
    using far = await connect<Exchange>(stopping.address, { secret })
    await far.remote.rate(usdToEur)
    expect(stopping.connections).toBe(1)
    await stopping[Symbol.asyncDispose]()
    await expect(far.remote.rate(usdToEur)).rejects.toThrow(`${stopping.address} has stopped`)
    await expect(connect(stopping.address, { secret })).rejects.toThrow(/cannot be reached: .*ECONNREFUSED/)
  })

  it('for which the server has no object end and say why, and leave the others alone', async () => {
    let made = 0
    const create = () => {
      // Longer than the reason may be, and cut between two characters.
      if (++made === 2) throw new Error(`no room for number 2${'é'.repeat(200)}`)
      return new Exchange()
    }
    await using full = await serve(create, { secret })
    using first = await connect<Exchange>(full.address, { secret })
    using second = await connect<Exchange>(full.address, { secret })
    expect((await second.closed).message).toMatch(/: it has no object for this client: no room for number 2é+$/)
    await expect(second.remote.rate(usdToEur)).rejects.toThrow('no room for number 2')
    expect(await first.remote.rate(usdToEur)).toMatchObject({ rate: expect.any(Number) })
  })

  it('end with their signal', async () => {
    const controller = new AbortController()
    using far = await connect<Exchange>(server.address, { secret, signal: controller.signal })
    await far.remote.rate(usdToEur)
    controller.abort()
    await expect(far.remote.rate(usdToEur)).rejects.toThrow(`${server.address} is gone`)
    await expect(connect(server.address, { secret, signal: controller.signal })).rejects.toThrow('aborted')
  })
})

describe('instances', () => {
  let created = 0
  let alive = 0
  class Counting extends RpcTarget {
    #calls = 0
    constructor() {
      super()
      created++
      alive++
    }
    async next() {
      await delay(1)
      return ++this.#calls
    }
    fail() {
      throw new RangeError('no')
    }
    [Symbol.dispose]() {
      alive--
    }
  }

  it.each([
    // Two clients call twice each.
    { instances: 'single', expected: [1, 2, 3, 4], made: 1, instancesThen: 1, afterwards: 1 },
    { instances: 'session', expected: [1, 2, 1, 2], made: 2, instancesThen: 2, afterwards: 0 },
    // Five calls; the first instance only says which methods it has.
    { instances: 'call', expected: [1, 1, 1, 1], made: 6, instancesThen: 0, afterwards: 0 },
  ] as const)('are one for each $instances', async ({ instances, expected, made, instancesThen, afterwards }) => {
    created = alive = 0
    {
      await using daemon = await serveObject(() => new Counting(), { secret, instances })
      {
        using ann = await connect<Counting>(daemon.address, { secret })
        using bob = await connect<Counting>(daemon.address, { secret })
        const counts = []
        for (const { remote } of [ann, ann, bob, bob]) counts.push(await remote.next())
        expect(counts).toEqual(expected)
        await expect(ann.remote.fail()).rejects.toThrow(RangeError)
        expect(alive).toBe(instancesThen)
      }
      await until(() => alive === afterwards)
    }
    await until(() => alive === 0)
    expect(created).toBe(made)
  })
})

it('a worker killed in mid-call fails the call, and no other worker', async () => {
  await using names = await startNameServer({ secret })
  const register = { names: names.info.address, name: 'slow' }
  await using worker = await startWorker({ secret }, { register, meanLatencyMs: 60_000 })
  using slow = await connect<Exchange>(worker.info.address, { secret })
  using observer = await connect<Exchange>(worker.info.address, { secret })
  const call = slow.remote.rate(usdToEur).catch((error: unknown) => error)
  // The worker has the call: what was sent after it has been answered.
  await slow.remote.calls()
  worker.process.kill('SIGKILL')
  expect(await call).toMatchObject({
    name: 'DisconnectedError',
    message: `${worker.info.address} is gone: the connection was cut`,
  })
  await expect(observer.remote.calls()).rejects.toThrow('the connection was cut')
  expect(await connection.remote.rate(usdToEur)).toMatchObject(usdToEur)
})
