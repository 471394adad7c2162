/** Messages of attackers: each is refused with a clear error, does nothing, and leaves other clients alone. */
import { once } from 'node:events'
import { request } from 'node:http'
import { connect as connectTcp } from 'node:net'
import { until } from '@repo/common/async/until'
import { RpcTarget } from 'capnweb'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { WebSocket } from 'ws'
import { newSecret } from '../../src/remote/processes.ts'
import { type Connection, connect, type RemoteServer, serve } from '../../src/remote/remote.ts'

const secret = newSecret()
const authorization = `Bearer ${Buffer.from(secret).toString('base64url')}`

const done: string[] = []
class Service extends RpcTarget {
  // Fields of its own and private ones cannot be reached.
  readonly key = 'a key'
  readonly run = () => done.push('field')
  greet(name: string) {
    done.push(`greet ${typeof name}`)
    return `Hello, ${name}`
  }
  shape(value: object) {
    return { keys: Object.keys(value), polluted: (value as { polluted?: unknown }).polluted }
  }
  #secretly() {
    done.push('private')
  }
  get greeting() {
    return { text: 'Hello', deep: { run: () => done.push('deep') } }
  }
  protected unused() {
    this.#secretly()
  }
}

let server: RemoteServer
let neighbour: Connection<Service>
beforeAll(async () => {
  server = await serve(() => new Service(), { secret })
  neighbour = await connect<Service>(server.address, { secret })
})
afterAll(async () => {
  neighbour[Symbol.dispose]()
  await server[Symbol.asyncDispose]()
})

async function expectServed() {
  expect(await neighbour.remote.greet('neighbour')).toBe('Hello, neighbour')
}

async function open(headers: Record<string, string> = { authorization }) {
  const ws = new WebSocket(server.address, { headers })
  const messages: unknown[] = []
  ws.on('message', (data: Buffer) => {
    for (const line of data.toString().split('\n')) messages.push(JSON.parse(line))
  })
  const closed = new Promise<{ code: number }>((resolve) => ws.on('close', (code) => resolve({ code })))
  await once(ws, 'open')
  return { ws, messages, closed, [Symbol.dispose]: () => ws.terminate() }
}

/** Sends messages as they are and returns the first answer: a resolve, a reject or an abort. */
async function answerTo(...messages: string[]): Promise<[string, ...unknown[]]> {
  using raw = await open()
  for (const message of messages) raw.ws.send(message)
  return (await until(() => raw.messages[0])) as [string, ...unknown[]]
}

const call = (path: unknown, args: unknown = []) =>
  answerTo(JSON.stringify(['push', ['pipeline', 0, path, args]]), '["pull",1]')

describe('without the secret', () => {
  const bearer = (text: string) => `Bearer ${Buffer.from(text).toString('base64url')}`

  it.each([
    ['none', undefined],
    ['an empty one', bearer('')],
    ['a wrong one of the same length', bearer('x'.repeat(secret.length))],
    ['its beginning', bearer(secret.slice(0, -1))],
    ['more than it', bearer(`${secret}x`)],
    ['another scheme', `Basic ${Buffer.from(secret).toString('base64url')}`],
    ['a long one', bearer('x'.repeat(6_000))],
  ])('(%s) nobody gets as far as a message', async (_, given) => {
    const ws = new WebSocket(server.address, { headers: given === undefined ? {} : { authorization: given } })
    const [, response] = await once(ws, 'unexpected-response')
    expect(response.statusCode).toBe(401)
    ws.on('error', () => {})
    ws.terminate()
    await expectServed()
  })

  it('a client says so, and does not say the secret', async () => {
    const wrong = newSecret()
    const error = await connect(server.address, { secret: wrong }).catch((error: Error) => error)
    expect(error).toMatchObject({ name: 'DisconnectedError', message: `${server.address} refuses the secret` })
    expect(JSON.stringify([error, (error as Error).stack])).not.toContain(wrong)
  })

  it('no server starts', async () => {
    for (const short of ['', 'x'.repeat(15)])
      await expect(serve(() => new Service(), { secret: short })).rejects.toThrow(RangeError)
  })
})

it('a web page is refused even with the secret', async () => {
  const ws = new WebSocket(server.address, { headers: { authorization, origin: 'http://127.0.0.1:8080' } })
  ws.on('error', () => {})
  const [, response] = await once(ws, 'unexpected-response')
  expect(response.statusCode).toBe(403)
  ws.terminate()
})

it('what is no WebSocket is answered and ended', async () => {
  const asked = request(server.address.replace('ws:', 'http:')).end()
  const [response] = await once(asked, 'response')
  expect(response.statusCode).toBe(426)
  response.resume()
  const { hostname, port } = new URL(server.address)
  const socket = connectTcp(Number(port), hostname)
  socket.end('\x16\x03\x01 not HTTP at all\r\n\r\n')
  socket.resume()
  await once(socket, 'close')
  await expectServed()
})

it('listens on loopback if not told otherwise', () => {
  expect(new URL(server.address).hostname).toBe('127.0.0.1')
})

describe('calls of what is not offered', () => {
  const payload = ['globalThis.hacked = true']

  it.each<[string, unknown[]]>([
    ['an unknown method', ['nosuch']],
    ['the constructor', ['constructor']],
    ["the constructor's constructor", ['constructor', 'constructor']],
    ['__proto__', ['__proto__']],
    ['a method of __proto__', ['__proto__', 'greet']],
    ['__defineGetter__', ['__defineGetter__']],
    ['toString', ['toString']],
    ['hasOwnProperty', ['hasOwnProperty']],
    ['Function.prototype.call of a method', ['greet', 'call']],
    ['the constructor of a method', ['greet', 'constructor']],
    ['the prototype of a method', ['greet', 'prototype', 'constructor']],
    ['a private method', ['#secretly']],
    ['a field', ['run']],
    ['a constructor below a getter', ['greeting', 'constructor', 'constructor']],
    ['a method of a string', ['greeting', 'text', 'repeat']],
    ['the dispose method', ['Symbol.dispose']],
    ['the object itself', []],
  ])('(%s) are errors, and nothing is done', async (_, path) => {
    done.length = 0
    const [kind, , error] = await call(path, payload)
    expect(kind).toBe('reject')
    expect(error).toEqual(['error', 'TypeError', expect.any(String), null, { type: 'TypeError' }])
    expect(done).toEqual([])
    expect(globalThis).not.toHaveProperty('hacked')
    await expectServed()
  })

  it("a field's value is not told either", async () => {
    const [kind, , error] = await answerTo('["push",["pipeline",0,["key"]]]', '["pull",1]')
    expect(kind).toBe('reject')
    expect(JSON.stringify(error)).not.toContain('a key')
  })
})

describe('arguments', () => {
  it('with a key __proto__ or constructor lose it', async () => {
    const argument = '{"a":1,"__proto__":{"polluted":true},"constructor":{"prototype":{"polluted":true}}}'
    const answer = await answerTo(`["push",["pipeline",0,["shape"],[${argument}]]]`, '["pull",1]')
    expect(answer).toEqual(['resolve', 1, { keys: [['a']], polluted: ['undefined'] }])
    expect(({} as { polluted?: unknown }).polluted).toBeUndefined()
  })
})

describe('messages', () => {
  it.each<[string, string]>([
    ['no JSON', 'hello'],
    ['no text', ''],
    ['a megabyte of line ends', '\n'.repeat(1 << 20)],
    ['null', 'null'],
    ['a number', '1e999'],
    ['an object', '{"push":1}'],
    ['an empty list', '[]'],
    ['an unknown kind', '["eval","globalThis.hacked = true"]'],
    ['a call without a call', '["push"]'],
    ['a call of an object that does not exist', '["push",["pipeline",99,["greet"],["x"]]]'],
    ['a call with arguments that are no list', '["push",["pipeline",0,["greet"],{"0":"x"}]]'],
    ['a path that is a text', '["push",["pipeline",0,"greet",["x"]]]'],
    ['a path of objects', '["push",["pipeline",0,[{"toString":1}],["x"]]]'],
    ['a request for a missing export', '["pull",99]'],
    ['a release of a missing export', '["release",99,1]'],
    ['a release more often than taken', '["release",0,1000000]'],
    ['an unknown value', '["push",["nosuch",1]]'],
    ['a missing stream', '["push",["pipeline",0,["greet"],[["readable",99]]]]'],
    ['a number of too many digits', `["push",["pipeline",0,["greet"],[["bigint","${'9'.repeat(100_000)}"]]]]`],
    ['lists in lists, 100,000 deep', '['.repeat(100_000) + ']'.repeat(100_000)],
    [
      'values in values, 10,000 deep',
      `["push",["pipeline",0,["greet"],[${'[['.repeat(10_000)}${']]'.repeat(10_000)}]]]`,
    ],
  ])('(%s) that are none end the connection with an error that is said', async (_, message) => {
    done.length = 0
    using raw = await open()
    raw.ws.send(message)
    await raw.closed
    expect(raw.messages).toHaveLength(1)
    expect(raw.messages[0]).toEqual([
      'abort',
      expect.arrayContaining(['error', expect.any(String), expect.any(String)]),
    ])
    expect(done).toEqual([])
    expect(globalThis).not.toHaveProperty('hacked')
    await expectServed()
  })

  it.each([1 << 20, 10_000_000])('of %i bytes and more end the connection, which says why', async (bytes) => {
    using far = await connect<Service>(server.address, { secret })
    const error = await far.remote.greet('x'.repeat(bytes)).catch((error: Error) => error)
    expect(error).toMatchObject({
      name: 'DisconnectedError',
      message: `${server.address} ended the connection: a message was larger than it accepts`,
    })
    await expectServed()
  })

  it('just below 1 MiB are taken', async () => {
    const name = 'x'.repeat((1 << 20) - 100)
    expect(await neighbour.remote.greet(name)).toBe(`Hello, ${name}`)
  })

  it('of bytes instead of text are none', async () => {
    using raw = await open()
    raw.ws.send(Buffer.from([0xff, 0, 1, 2]))
    await raw.closed
    await expectServed()
  })

  it('of any kind leave the others alone', async () => {
    const part = fc.oneof(
      fc.constantFrom(
        'push',
        'pull',
        'pipeline',
        'import',
        'export',
        'remap',
        'stream',
        'pipe',
        'resolve',
        'release',
        'greet',
      ),
      fc.jsonValue({ maxDepth: 2 }),
    )
    const message = fc.letrec((tie) => ({
      list: fc.array(fc.oneof({ depthSize: 'small' }, part, tie('list')), { maxLength: 5 }),
    })).list
    const kinds = fc.constantFrom('push', 'pull', 'stream', 'resolve', 'reject', 'release', 'abort')
    await fc.assert(
      fc.asyncProperty(fc.array(fc.tuple(kinds, message), { minLength: 1, maxLength: 4 }), async (messages) => {
        using raw = await open()
        for (const [kind, rest] of messages) raw.ws.send(JSON.stringify([kind, ...(rest as unknown[])]))
        await expectServed()
        expect(done.filter((what) => !what.startsWith('greet'))).toEqual([])
      }),
      { numRuns: 100 },
    )
    await until(() => server.connections === 1)
    await expectServed()
  })
})
