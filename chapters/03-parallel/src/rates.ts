/** Exchange rates of one day, from the npm package @fawazahmed0/currency-api or from that project's public address. */
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

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

/** Where the project publishes the newest rates, in the same layout as in the package. */
export const liveAddress = 'https://latest.currency-api.pages.dev/v1/currencies/'

/** The folder of the package that holds a JSON file for each currency. */
export function ratesFolder(): string {
  const manifest = fileURLToPath(import.meta.resolve('@fawazahmed0/currency-api/package.json'))
  return join(dirname(manifest), 'v1', 'currencies')
}

const majors = [
  ...['usd', 'eur', 'jpy', 'gbp', 'cny', 'aud', 'cad', 'chf', 'hkd', 'sgd', 'sek', 'krw', 'nok', 'nzd', 'inr', 'mxn'],
  ...['twd', 'zar', 'brl', 'dkk', 'pln', 'thb', 'idr', 'huf', 'czk', 'ils', 'php', 'myr', 'ron', 'try', 'isk', 'kes'],
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
 * Asks for one rate.
 *
 * @param address where the currencies' JSON files are, with a slash at its end
 * @throws an Error that names the address when it cannot be reached, answers with an error, or knows no such rate
 */
export async function fetchRate(address: string, { from, to }: Pair, signal?: AbortSignal): Promise<Rate> {
  const url = new URL(`${encodeURIComponent(from)}.json`, address)
  let response: Response
  try {
    response = await fetch(url, { signal: AbortSignal.any([AbortSignal.timeout(30_000), ...(signal ? [signal] : [])]) })
  } catch (error) {
    signal?.throwIfAborted()
    // fetch says only "fetch failed"; what failed is its cause.
    const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error
    const why = cause instanceof Error ? cause.message || (cause as NodeJS.ErrnoException).code : String(cause)
    throw new Error(`${url.origin} cannot be reached (${why})`)
  }
  if (!response.ok) throw new Error(`${url} answered ${response.status}`)
  const rates = (await response.json()) as { date: string } & Record<string, Record<string, number>>
  const rate = rates[from]?.[to]
  if (rate === undefined) throw new Error(`${url} has no rate for ${to}`)
  return { from, to, date: rates.date, rate }
}

/**
 * How long the practice server takes for a currency: the same for the same seed, from half to one and a half times the
 * mean.
 */
export function latencyOf(currency: string, seed: number, meanMs: number): number {
  let hash = seed | 0
  // The mixing of MurmurHash3.
  for (const character of currency) hash = Math.imul(hash ^ character.charCodeAt(0), 0x85eb_ca6b) ^ (hash >>> 13)
  hash = Math.imul(hash ^ (hash >>> 16), 0xc2b2_ae35)
  return meanMs * (0.5 + ((hash ^ (hash >>> 16)) >>> 0) / 2 ** 32)
}
