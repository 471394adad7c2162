/**
 * Exchange rates over HTTP, from our own server (rate-server.program.ts) or from the public one of the project behind
 * it.
 */
import type { Pair, Rate } from '@repo/common/workloads/rates'

/** Where the project publishes the latest rates, in the same layout as in its package. */
export const liveAddress = 'https://latest.currency-api.pages.dev/v1/currencies/'

/**
 * Asks for one rate.
 *
 * @param address the folder of the currencies' JSON files, with a slash at its end
 * @throws an Error that names the address if it cannot be reached, answers with an error, or does not know the rate
 */
export async function fetchRate(address: string, { from, to }: Pair, signal?: AbortSignal): Promise<Rate> {
  const url = new URL(`${encodeURIComponent(from)}.json`, address)
  let response: Response
  try {
    response = await fetch(url, { signal: AbortSignal.any([AbortSignal.timeout(30_000), ...(signal ? [signal] : [])]) })
  } catch (error) {
    signal?.throwIfAborted()
    // fetch says only "fetch failed"; the reason is its cause.
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
