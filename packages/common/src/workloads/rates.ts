/** Real exchange rates of one day, from the npm package @fawazahmed0/currency-api, and a simulated latency for each. */
import { readFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { randomFor } from '../async/random.ts'

/** Two currencies by their codes in lower case. The rate says how much of `to` one `from` is worth. */
export interface Pair {
  from: string
  to: string
}

export interface Rate extends Pair {
  /** The day of the rate, such as 2026-09-29. */
  date: string
  rate: number
}

/** Returns the package's folder that has a JSON file for each currency. */
export function ratesFolder(): string {
  const manifest = fileURLToPath(import.meta.resolve('@fawazahmed0/currency-api/package.json'))
  return join(dirname(manifest), 'v1', 'currencies')
}

type Day = { date: string } & Record<string, Record<string, number>>
const days = new Map<string, Promise<Day>>()

/**
 * Looks up one rate. A currency's file is read at its first use and then kept in memory.
 *
 * @throws an Error that names the currency, if the package does not have it
 */
export async function readRate({ from, to }: Pair): Promise<Rate> {
  const { date, [from]: rates } = await readDay(from)
  if (rates === undefined || !Object.hasOwn(rates, to)) throw new Error(`there is no currency ${JSON.stringify(to)}`)
  return { from, to, date, rate: rates[to] as number }
}

async function readDay(currency: string): Promise<Day> {
  const known = days.get(currency)
  if (known) return await known
  // It becomes a file's name, which must not lead out of the folder.
  if (typeof currency !== 'string' || !/^[a-z0-9-]{1,40}$/.test(currency)) throw unknown(currency)
  const reading = readFile(join(ratesFolder(), `${currency}.json`), 'utf8').then(
    (text) => JSON.parse(text) as Day,
    (error: NodeJS.ErrnoException) => {
      days.delete(currency)
      throw error.code === 'ENOENT' ? unknown(currency) : error
    },
  )
  days.set(currency, reading)
  return await reading
}

const unknown = (currency: unknown) => new Error(`there is no currency ${JSON.stringify(currency)}`)

const majorCurrencies = `
  usd eur jpy gbp cny aud cad chf hkd sgd sek krw nok nzd inr mxn
  twd zar brl dkk pln thb idr huf czk ils php myr ron try isk kes`
const majors = majorCurrencies.trim().split(/\s+/)
export const mostPairs = majors.length * (majors.length - 1)

/** Returns the first `count` pairs of different currencies, at most `mostPairs`. */
export function pairsOf(count: number): Pair[] {
  // By distance in the list, so that even a few pairs have many different currencies.
  const pairs: Pair[] = []
  for (let distance = 1; distance < majors.length; distance++) {
    for (const [at, from] of majors.entries()) pairs.push({ from, to: majors[(at + distance) % majors.length] ?? '' })
  }
  return pairs.slice(0, count)
}

/**
 * Returns the simulated time in ms that a distant service takes for a currency: between half and one and a half times
 * the mean, and always the same for a seed.
 */
export function latencyOf(currency: string, seed: number, meanMs: number): number {
  return meanMs * (0.5 + randomFor(seed, ...Buffer.from(currency)))
}

/** Looks up one rate as from a distant service, whose latency is simulated. */
export async function readDistantRate(
  { from, to }: Pair,
  { meanMs, seed = 1, signal }: { meanMs: number; seed?: number; signal?: AbortSignal | undefined },
): Promise<Rate> {
  await delay(latencyOf(from, seed, meanMs), undefined, { signal })
  return await readRate({ from, to })
}
