/** Causes what can go wrong with remote calls, and catches the errors that the caller gets. */
import { messageOf } from '@repo/common/output/errors'
import type { Proxy as TcpProxy } from '@repo/common/servers/proxy'
import type { Exchange } from './exchange.ts'
import { type Connection, connect, typeOf, within } from './remote.ts'

export interface Fault {
  what: string
  /** The error's type, even if it was thrown at the other end. */
  type: string
  message: string
}

/**
 * Causes one fault after the other on connections through a proxy in front of an `Exchange`. Checks after each that
 * another connection works as before.
 *
 * @throws an Error if a fault causes no error
 */
export async function causeFaults(proxy: TcpProxy, address: string, secret: string): Promise<Fault[]> {
  const throughProxy = `ws://${proxy.host}:${proxy.port}`
  const pair = { from: 'usd', to: 'eur' }
  using neighbour = await connect<Exchange>(address, { secret })
  const faults: Fault[] = []

  async function cause(what: string, act: (connection: Connection<Exchange>) => PromiseLike<unknown>) {
    using connection = await connect<Exchange>(throughProxy, { secret })
    try {
      await act(connection)
    } catch (error) {
      faults.push({ what, type: typeOf(error), message: messageOf(error) })
      await neighbour.remote.rate(pair)
      return
    }
    throw new Error(`${what}: there was no error`)
  }

  await cause('a currency that does not exist', ({ remote }) => remote.rate({ from: 'usd', to: 'nosuch' }))
  await cause('an argument of a wrong type', ({ remote }) => remote.rate(42 as never))
  await cause('a method that does not exist', ({ remote }) => {
    const unchecked = remote as unknown as { shutDown: () => Promise<void> }
    return unchecked.shutDown()
  })
  await cause('no answer for 200 ms', async ({ remote }) => {
    await remote.rate(pair)
    proxy.block()
    try {
      await within(remote.rate(pair), 200)
    } finally {
      proxy.heal()
    }
  })
  await cause('the connection is cut in mid-call', async ({ remote }) => {
    await remote.rate(pair)
    proxy.block()
    const call = remote.rate(pair)
    proxy.cut()
    proxy.heal()
    await call
  })
  await cause('an argument of 10 MB', ({ remote }) => remote.rate({ from: 'x'.repeat(10_000_000), to: 'eur' }))
  await cause('a wrong secret', () => connect(throughProxy, { secret: `not ${secret}` }))
  return faults
}
