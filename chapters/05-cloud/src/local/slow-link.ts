/** Puts a link as long as one to another city between this machine's programs and this machine's store. */
import { startProxy, type Proxy as TcpProxy } from '@repo/common/servers/proxy'
import type { Place } from '../cloud/place.ts'

export interface SlowLink extends AsyncDisposable {
  /** The same store, reached through the link. */
  place: Place
  proxy: TcpProxy
}

/**
 * Puts a link with a round trip of `roundTripMs` in front of a place on this machine.
 *
 * @returns undefined for a place elsewhere: the link there is long already, and we must not break it
 */
export async function slowLink(place: Place, roundTripMs: number, signal?: AbortSignal): Promise<SlowLink | undefined> {
  const url = URL.parse(place.url ?? '')
  if (url?.protocol !== 'http:' || !/^(127\.[\d.]+|localhost)$/.test(url.hostname)) return undefined
  const proxy = await startProxy({ host: url.hostname, port: Number(url.port || 80), delayMs: roundTripMs / 2, signal })
  // The rest of the address stays: a store may be below a path.
  url.host = `${proxy.host}:${proxy.port}`
  return {
    place: { ...place, url: url.href.replace(/\/$/, '') },
    proxy,
    [Symbol.asyncDispose]: () => proxy[Symbol.asyncDispose](),
  }
}
