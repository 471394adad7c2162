/** The objects that the worker of `remote-worker` serves: exchange rates, and purses that are held by reference. */
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

/** A function of the client's: calling it calls back. */
type Progress = RpcStub<(done: number, total: number) => void>

class UnknownCurrencyError extends Error {
  override name = 'UnknownCurrencyError'
}

export class Exchange extends RpcTarget {
  static #instances = 0
  readonly #meanLatencyMs: number
  #calls = 0

  /** @param meanLatencyMs simulated: how long a rate takes, as if it came from far away */
  constructor(meanLatencyMs = 0) {
    super()
    this.#meanLatencyMs = meanLatencyMs
    Exchange.#instances++
  }

  /** How many instances there are in this process, this one included. */
  instances(): number {
    return Exchange.#instances
  }

  /** How many calls this instance has had, this one included. */
  calls(): number {
    return ++this.#calls
  }

  /** One rate. Throws UnknownCurrencyError, or TypeError when the pair is not one. */
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

  /** Rates of many pairs, one after the other; `progress` is called back after each. */
  async rates(pairs: Pair[], progress?: Progress): Promise<Rate[]> {
    accept('pairs', pairsSchema, pairs)
    accept('progress', progressSchema, progress)
    const rates: Rate[] = []
    for (const pair of pairs) {
      rates.push(await this.rate(pair))
      // Not waited for, so that a slow client does not hold up the work; when it is gone, nobody need be told.
      progress?.(rates.length, pairs.length).catch(() => {})
    }
    return rates
  }

  /** How much of `to` an amount of `from` is worth. */
  async convert(amount: number, from: string, to: string): Promise<number> {
    accept('amount', amountSchema, amount)
    return amount * (await this.rate({ from, to })).rate
  }

  /** A purse, which stays here: the client gets a reference and disposes of it. */
  purse(amount: number, currency: string): Purse {
    this.#calls++
    return new Purse(this, accept('amount', amountSchema, amount), currency)
  }

  /** How many purses of this process are referred to by somebody. */
  openPurses(): number {
    return Purse.open
  }

  /** Called by capnweb, or by the daemon, when nobody can call this instance any more. */
  [Symbol.dispose]() {
    Exchange.#instances--
  }
}

/** An amount of money. What it is exchanged into is another purse. */
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

  /** Called by capnweb when nobody refers to it any more: the client has let go of it, or is gone. */
  [Symbol.dispose]() {
    Purse.open--
  }
}
