/** Starting the slow web site. */
import { once } from 'node:events'
import { get, type IncomingMessage } from 'node:http'
import { text } from 'node:stream/consumers'
import { startProgram } from '@repo/common/process/child'
import type { Site } from './slow-pages.ts'

export interface SlowServer extends AsyncDisposable {
  /** Where it listens: `http://127.0.0.1:<port>`. */
  url: string
  /** The number of requests that the server is busy with, by its own count. */
  openRequests: () => Promise<number>
}

/** Starts the server in a process of its own, on a free port of the loopback interface; disposing of it ends it. */
export async function startSlowServer(site: Site, signal?: AbortSignal): Promise<SlowServer> {
  const program = await startProgram<{ port: number }>(new URL('./slow-server.program.ts', import.meta.url), {
    args: [JSON.stringify(site)],
    signal,
  })
  const url = `http://127.0.0.1:${program.info.port}`
  return {
    url,
    async openRequests() {
      // On a connection of its own that is closed afterwards: asking whether anything is open must leave nothing open.
      const request = get(`${url}/open`, { agent: false, signal })
      const [response] = (await once(request, 'response')) as [IncomingMessage]
      return Number(await text(response))
    },
    [Symbol.asyncDispose]: () => program[Symbol.asyncDispose](),
  }
}
