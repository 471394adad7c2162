/** The objects that workers serve: an exchange with its rates, and purses that clients hold by reference. */
import { setTimeout as delay } from 'node:timers/promises'
import { latencyOf, type Pair, type Rate, readRate } from '@repo/common/workloads/rates'
import { type RpcStub, RpcTarget } from 'capnweb'
import { z } from 'zod'
import { accept } from './remote.ts'

const currency = z.string().regex(/^[a-z0-9-]{1,40}$/, 'accepts a currency by its code in lower case')
const pairSchema = z.object({ from: currency, to: currency })
const pairsSchema = z.array(pairSchema).max(10_000)
const amountSchema = z.number().min(-1e15).max(1e15)
const progressSchema = z.custom<Progress>((value) => value === undefined || typeof value === 'function', 'no function')

/** A function of the client: calling it calls back. */
type Progress = RpcStub<(done: number, total: number) => void>

class UnknownCurrencyError extends Error {
  override name = 'UnknownCurrencyError'
}

export class Exchange extends RpcTarget {
  static #instances = 0
  readonly #meanLatencyMs: number
  #calls = 0

  /** @param meanLatencyMs simulated: the mean time that a rate takes, as if it came from far away */
  constructor(meanLatencyMs = 0) {
    super()
    this.#meanLatencyMs = meanLatencyMs
    Exchange.#instances++
  }

  /** Returns the number of instances in this process, including this one. */
  instances(): number {
    return Exchange.#instances
  }

  /** Returns the number of calls of this instance, including this one. */
  calls(): number {
    return ++this.#calls
  }

  /** Returns one rate. Throws UnknownCurrencyError, or TypeError if the argument is no pair. */
  async rate(pair: Pair): Promise<Rate> {
    this.#calls++
    const { from, to } = accept('pair', pairSchema, pair)
    if (this.#meanLatencyMs > 0) await delay(latencyOf(from, 1, this.#meanLatencyMs))
    try {
      return await readRate({ from, to })
    } catch (cause) {
      throw new UnknownCurrencyError((cause as Error).message)
    }
  }

  /** Returns the rates of many pairs, looked up one after the other. Calls `progress` back after each. */
  async rates(pairs: Pair[], progress?: Progress): Promise<Rate[]> {
    accept('pairs', pairsSchema, pairs)
    accept('progress', progressSchema, progress)
    const rates: Rate[] = []
    for (const pair of pairs) {
      rates.push(await this.rate(pair))
      // Not awaited, so that a slow client does not delay the work. If the client is gone, nothing is lost.
      progress?.(rates.length, pairs.length).catch(() => {})
    }
    return rates
  }

  /** Returns how much of `to` an amount of `from` is worth. */
  async convert(amount: number, from: string, to: string): Promise<number> {
    accept('amount', amountSchema, amount)
    return amount * (await this.rate({ from, to })).rate
  }

  /** Returns a purse. It stays here: the client gets a reference, and disposes of it. */
  purse(amount: number, currency: string): Purse {
    this.#calls++
    return new Purse(this, accept('amount', amountSchema, amount), currency)
  }

  /** Returns how many purses of this process are still referred to. */
  openPurses(): number {
    return Purse.open
  }

  /** capnweb, or the daemon, calls this when nobody can call the instance any more. */
  [Symbol.dispose]() {
    Exchange.#instances--
  }
}

/** An amount of money. Exchanging it makes another purse. */
export class Purse extends RpcTarget {
  static open = 0
  readonly #exchange: Exchange
  readonly #amount: number
  readonly #currency: string

  constructor(exchange: Exchange, amount: number, currency: string) {
    super()
    this.#exchange = exchange
    this.#amount = amount
    this.#currency = currency
    Purse.open++
  }

  async into(currency: string): Promise<Purse> {
    return new Purse(this.#exchange, await this.#exchange.convert(this.#amount, this.#currency, currency), currency)
  }

  amount(): number {
    return this.#amount
  }

  /** capnweb calls this when nobody refers to the purse any more: the client has disposed of it, or is gone. */
  [Symbol.dispose]() {
    Purse.open--
  }
}
