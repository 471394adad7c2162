/** A store that is not next door: the chapter's programs on this machine, with a round trip as to another city. */
import { startProxy, type Proxy as TcpProxy } from '@repo/common/proxy'
import type { Place } from './cloud.ts'

export interface SlowLink extends AsyncDisposable {
  /** The same place at the other end of the link. */
  place: Place
  proxy: TcpProxy
}

/**
 * Puts a link with a round trip of `roundTripMs` before a place on this machine. Places elsewhere have a link of their own.
 * Throws when the place has no URL of plain HTTP on this machine.
 */
export async function slowLink(place: Place, roundTripMs: number, signal?: AbortSignal): Promise<SlowLink> {
  const url = new URL(place.url ?? 'https://aws')
  if (url.protocol !== 'http:') throw new Error(`no link can be put before ${url.origin}`)
  const proxy = await startProxy({ host: url.hostname, port: Number(url.port || 80), delayMs: roundTripMs / 2, signal })
  return {
    place: { ...place, url: `http://${proxy.host}:${proxy.port}` },
    proxy,
    [Symbol.asyncDispose]: () => proxy[Symbol.asyncDispose](),
  }
}
