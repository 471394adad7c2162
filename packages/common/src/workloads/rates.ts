/** Exchange rates of one day, real ones, from the npm package @fawazahmed0/currency-api; slowness where it is wanted. */
import { readFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { randomFor } from '../async/random.ts'

/** A pair of currencies by their codes in lower case: how much of `to` one `from` is worth. */
export interface Pair {
  from: string
  to: string
}

export interface Rate extends Pair {
  /** The day the rate is of, as in 2026-09-29. */
  date: string
  rate: number
}

/** The folder of the package that holds a JSON file for each currency. */
export function ratesFolder(): string {
  const manifest = fileURLToPath(import.meta.resolve('@fawazahmed0/currency-api/package.json'))
  return join(dirname(manifest), 'v1', 'currencies')
}

type Day = { date: string } & Record<string, Record<string, number>>
const days = new Map<string, Promise<Day>>()

/**
 * Looks up one rate. A currency's file is read when it is first asked for and then kept in memory.
 *
 * @throws an Error that names the currency the package does not know
 */
export async function readRate({ from, to }: Pair): Promise<Rate> {
  const { date, [from]: rates } = await readDay(from)
  if (rates === undefined || !Object.hasOwn(rates, to)) throw new Error(`there is no currency ${JSON.stringify(to)}`)
  return { from, to, date, rate: rates[to] as number }
}

async function readDay(currency: string): Promise<Day> {
  const known = days.get(currency)
  if (known) return await known
  // Becomes a file's name: nothing that leads out of the folder.
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

const majors = [
  'usd',
  'eur',
  'jpy',
  'gbp',
  'cny',
  'aud',
  'cad',
  'chf',
  'hkd',
  'sgd',
  'sek',
  'krw',
  'nok',
  'nzd',
  'inr',
  'mxn',
  'twd',
  'zar',
  'brl',
  'dkk',
  'pln',
  'thb',
  'idr',
  'huf',
  'czk',
  'ils',
  'php',
  'myr',
  'ron',
  'try',
  'isk',
  'kes',
]
export const mostPairs = majors.length * (majors.length - 1)

/** The first `count` pairs of different currencies, at most `mostPairs`. */
export function pairsOf(count: number): Pair[] {
  // By distance in the list, so that few pairs already have many different currencies.
  const pairs: Pair[] = []
  for (let distance = 1; distance < majors.length; distance++) {
    for (const [at, from] of majors.entries()) pairs.push({ from, to: majors[(at + distance) % majors.length] ?? '' })
  }
  return pairs.slice(0, count)
}

/**
 * The simulated time in ms that a distant service takes for a currency: from half to one and a half times the mean, and
 * the same for the same seed.
 */
export function latencyOf(currency: string, seed: number, meanMs: number): number {
  return meanMs * (0.5 + randomFor(seed, ...Buffer.from(currency)))
}
