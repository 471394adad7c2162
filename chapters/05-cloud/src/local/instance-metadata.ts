/**
 * The instance metadata service tells an instance about itself, at an address that only the instance can reach. In
 * version 2, every request needs a token that was fetched beforehand.
 * https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/spot-instance-termination-notices.html
 *
 * A spot instance is cheap because Amazon may take it away. Two minutes before it does, a notice appears in this
 * service.
 */
import { randomUUID } from 'node:crypto'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import { z } from 'zod'

const noticeSchema = z.object({
  action: z.enum(['terminate', 'stop', 'hibernate']),
  /** In UTC: `2026-11-22T10:00:00Z`. */
  time: z.string(),
})

/** A notice in the service's own words. */
export type SpotNotice = z.infer<typeof noticeSchema>

const tokenPath = '/latest/api/token'
const noticePath = '/latest/meta-data/spot/instance-action'
const tokenHeader = 'x-aws-ec2-metadata-token'
const secondsHeader = 'x-aws-ec2-metadata-token-ttl-seconds'

/** The address of the service on every instance. */
export const instanceMetadataUrl = 'http://169.254.169.254'

/**
 * Polls the service until a notice appears, and returns it. Returns undefined when the signal is aborted first.
 *
 * @param everyMs Amazon recommends five seconds
 */
export async function spotNotice(url: string, signal: AbortSignal, everyMs = 5_000): Promise<SpotNotice | undefined> {
  const ask = (path: string, init: RequestInit) =>
    fetch(`${url}${path}`, { ...init, signal: AbortSignal.any([signal, AbortSignal.timeout(2_000)]) })
  let token = ''
  const askForNotice = () => ask(noticePath, { headers: { [tokenHeader]: token } })
  while (!signal.aborted) {
    try {
      let answer = await askForNotice()
      if (answer.status === 401) {
        await answer.body?.cancel()
        const made = await ask(tokenPath, { method: 'PUT', headers: { [secondsHeader]: '21600' } })
        token = await made.text()
        answer = await askForNotice()
      }
      const { data } = noticeSchema.safeParse(answer.ok ? await answer.json() : await answer.body?.cancel())
      if (data) return data
    } catch {
      // The next request may get an answer.
    }
    await delay(everyMs, undefined, { signal }).catch(() => {})
  }
  return undefined
}

/** A metadata service of our own, for a process that stands in for an instance. */
export interface SimulatedMetadata extends AsyncDisposable {
  url: string
  /** Makes the notice appear. */
  notify: (notice: SpotNotice) => void
}

/** Starts the part of the service that `spotNotice` uses, on a free port of the loopback interface. */
export async function simulateInstanceMetadata(): Promise<SimulatedMetadata> {
  const tokens = new Map<string, number>()
  let notice: SpotNotice | undefined
  const server = createServer((request, response) => {
    const answer = (status: number, body = '') => response.writeHead(status).end(body)
    if (request.method === 'PUT' && request.url === tokenPath) {
      const seconds = Number(request.headers[secondsHeader])
      if (!(seconds >= 1 && seconds <= 21_600)) return answer(400)
      const token = randomUUID()
      tokens.set(token, Date.now() + 1000 * seconds)
      return answer(200, token)
    }
    const until = tokens.get(String(request.headers[tokenHeader])) ?? 0
    if (until < Date.now()) return answer(401)
    if (request.url !== noticePath || !notice) return answer(404)
    return answer(200, JSON.stringify(notice))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  return {
    url: `http://127.0.0.1:${port}`,
    notify: (given) => {
      notice = given
    },
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}
