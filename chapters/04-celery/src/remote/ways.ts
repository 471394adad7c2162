/** Ways to make many calls: one after the other, at the same time, and in one round trip although each needs the one before. */
import type { Pair } from '@repo/common/workloads/rates'
import type { RpcStub } from 'capnweb'
import type { Exchange } from './exchange.ts'
import type { Connection } from './remote.ts'

type RemoteExchange = RpcStub<Exchange>

/** The rates of pairs, each asked for when the one before is there: a round trip for each. */
export async function ratesInTurn(exchange: RemoteExchange, pairs: Pair[]): Promise<number[]> {
  const rates: number[] = []
  for (const pair of pairs) rates.push((await exchange.rate(pair)).rate)
  return rates
}

/** The rates of pairs, all asked for at once: as many messages, and one round trip's time. */
export async function ratesAtOnce(exchange: RemoteExchange, pairs: Pair[]): Promise<number[]> {
  return await Promise.all(pairs.map(async (pair) => (await exchange.rate(pair)).rate))
}

/** What an amount of the first currency is worth in the last, by way of all between: a round trip for each step. */
export async function convertInTurn(exchange: RemoteExchange, amount: number, currencies: string[]): Promise<number> {
  let worth = amount
  for (const [from, to] of steps(currencies)) worth = await exchange.convert(worth, from, to)
  return worth
}

/**
 * The same in one round trip. A call returns at once, with a promise that can be an argument of the next call: the server
 * puts the result in. Only the last result is asked for.
 */
export async function convertPipelined(
  exchange: RemoteExchange,
  amount: number,
  currencies: string[],
): Promise<number> {
  let worth: Parameters<RemoteExchange['convert']>[0] = amount
  const calls: Disposable[] = []
  for (const [from, to] of steps(currencies)) {
    const call = exchange.convert(worth, from, to)
    calls.push(call)
    worth = call
  }
  try {
    return await worth
  } finally {
    // The results between are never asked for, so the server keeps them until it is told that nobody will.
    for (const call of calls) call[Symbol.dispose]()
  }
}

function steps(currencies: string[]): [string, string][] {
  return currencies.slice(1).map((to, at) => [currencies[at] ?? '', to])
}

export interface Way {
  way: string
  ms: number
  /** Messages to the server. */
  sent: number
  /** Messages from the server: the answers. */
  received: number
}

/**
 * All four ways on a connection that does nothing else, and what 100 of the journey's first currency are worth at its end.
 *
 * @throws an Error when two ways get different results
 */
export async function compareWays(
  connection: Connection<Exchange>,
  pairs: Pair[],
  journey: string[],
): Promise<{ ways: Way[]; worth: number }> {
  const ways: Way[] = []
  async function timed<T>(way: string, calls: (exchange: RemoteExchange) => Promise<T>): Promise<T> {
    const before = { ...connection.traffic }
    const start = performance.now()
    const result = await calls(connection.remote)
    const ms = performance.now() - start
    const { sent, received } = connection.traffic
    ways.push({ way, ms, sent: sent - before.sent, received: received - before.received })
    return result
  }
  const chain = `a chain of ${journey.length - 1} conversions`
  const inTurn = await timed(`${pairs.length} rates, one after the other`, (it) => ratesInTurn(it, pairs))
  const atOnce = await timed(`${pairs.length} rates, all at once`, (it) => ratesAtOnce(it, pairs))
  const stepwise = await timed(`${chain}, one after the other`, (it) => convertInTurn(it, 100, journey))
  const worth = await timed('the same chain, pipelined', (it) => convertPipelined(it, 100, journey))
  if (inTurn.join() !== atOnce.join() || stepwise !== worth) throw new Error('two ways got different results')
  return { ways, worth }
}
