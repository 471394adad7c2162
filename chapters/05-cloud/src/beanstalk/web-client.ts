/** Clients of the web tier. */
import { setTimeout as delay } from 'node:timers/promises'
import type { TextStatus } from './text-parts.ts'

export interface ClientOptions {
  signal: AbortSignal
  /** Called with the number of counted parts, and of all parts. */
  onProgress?: (counted: number, parts: number) => void
}

/** Sends a text to the web tier, polls until it is counted, and returns the counts. */
export async function countThroughWebTier(
  url: string,
  text: string,
  { signal, onProgress }: ClientOptions,
): Promise<Required<TextStatus>> {
  const ask = async (path: string, init: RequestInit = {}) => {
    const response = await fetch(new URL(path, url), { ...init, signal })
    if (!response.ok) throw new Error(`${url} answered ${response.status} to ${path}: ${await response.text()}`)
    return (await response.json()) as TextStatus
  }
  let status = await ask('/texts', { method: 'POST', body: text })
  for (let waitMs = 50; !isDone(status); waitMs = Math.min(1_000, waitMs * 1.3)) {
    onProgress?.(status.counted, status.parts)
    await delay(waitMs, undefined, { signal })
    status = await ask(`/texts/${status.id}`)
  }
  return status
}

const isDone = (status: TextStatus): status is Required<TextStatus> => status.top !== undefined

/** A client that sends one request after another to an address, until it is disposed of. */
export interface Watch extends AsyncDisposable {
  requests: number
  failed: number
  /** Resolves when this version has answered `times` times in a row. */
  until: (version: string, times: number, timeoutMs: number) => Promise<void>
}

/** Starts asking an address which version answers there. */
export function watchVersion(url: string, signal: AbortSignal): Watch {
  const stopping = new AbortController()
  const stop = AbortSignal.any([signal, stopping.signal])
  let answered: string | undefined
  let inARow = 0
  const watch: Watch = {
    requests: 0,
    failed: 0,
    async until(version, times, timeoutMs) {
      const deadline = performance.now() + timeoutMs
      while (answered !== version || inARow < times) {
        if (performance.now() > deadline) {
          throw new Error(`version ${answered} still answers at ${url} after ${timeoutMs / 1000} s`)
        }
        await delay(20, undefined, { signal })
      }
    },
    async [Symbol.asyncDispose]() {
      stopping.abort()
      await asking
    },
  }
  const asking = (async () => {
    while (!stop.aborted) {
      watch.requests++
      try {
        const response = await fetch(new URL('/version', url), { signal: AbortSignal.timeout(10_000) })
        const { version } = (await response.json()) as { version: string }
        inARow = version === answered ? inARow + 1 : 1
        answered = version
      } catch {
        watch.failed++
        inARow = 0
        await delay(10)
      }
    }
  })()
  return watch
}
