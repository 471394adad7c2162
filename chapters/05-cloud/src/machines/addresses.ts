/** Who may reach our machines from the internet. */
import { isIPv4 } from 'node:net'
import { accepting } from '@repo/common/example/options'

/** IPv4 addresses in words, for options and errors. */
const inWords = 'IPv4 addresses such as 203.0.113.7 or 203.0.113.0/24, at most a /16: never the whole internet'

/**
 * The option with which a reader says who may come in, as `203.0.113.7/32`. A single address is a range of one. At most a
 * /16, never everybody.
 */
export const addressRange = accepting(inWords, (text) => {
  const [address = '', bits = '32', ...rest] = text.split('/')
  const isRange = isIPv4(address) && /^\d{1,2}$/.test(bits) && rest.length === 0
  return isRange && Number(bits) >= 16 && Number(bits) <= 32 ? `${address}/${Number(bits)}` : undefined
})

/** Amazon's service that answers with the address that it sees. */
const addressService = 'https://checkip.amazonaws.com'

/**
 * Returns the address under which this machine appears on the internet, as `203.0.113.7/32`.
 *
 * @throws an Error that says how to name the address, when the service does not answer with one
 */
export async function ownAddress(signal: AbortSignal, service = addressService): Promise<string> {
  const said = async () => {
    const answer = await fetch(service, { signal: AbortSignal.any([signal, AbortSignal.timeout(10_000)]) })
    return (await answer.text()).trim()
  }
  const address = await said().catch((cause: unknown) => {
    signal.throwIfAborted()
    throw new Error(`${service} does not say what your address is: name it with --web-from`, { cause })
  })
  if (isIPv4(address)) return `${address}/32`
  throw new Error(
    `${service} does not say what your address is, but "${address.slice(0, 80)}": name it with --web-from`,
  )
}
