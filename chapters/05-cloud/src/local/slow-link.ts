/** A store that is not next door: the chapter's programs on this machine, with a round trip as to another city. */
import { startProxy, type Proxy as TcpProxy } from '@repo/common/servers/proxy'
import type { Place } from '../cloud/cloud.ts'

export interface SlowLink extends AsyncDisposable {
  /** The same place at the other end of the link. */
  place: Place
  proxy: TcpProxy
}

/**
 * Puts a link with a round trip of `roundTripMs` before a place on this machine, which speaks plain HTTP.
 *
 * @returns undefined for a place elsewhere: its link is as long as it is, and must not break for us
 */
export async function slowLink(place: Place, roundTripMs: number, signal?: AbortSignal): Promise<SlowLink | undefined> {
  const url = URL.parse(place.url ?? '')
  if (url?.protocol !== 'http:' || !/^(127\.[\d.]+|localhost)$/.test(url.hostname)) return undefined
  const proxy = await startProxy({ host: url.hostname, port: Number(url.port || 80), delayMs: roundTripMs / 2, signal })
  return {
    place: { ...place, url: `http://${proxy.host}:${proxy.port}` },
    proxy,
    [Symbol.asyncDispose]: () => proxy[Symbol.asyncDispose](),
  }
}
