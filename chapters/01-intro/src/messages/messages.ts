/** The same data handed to somebody else in four ways, and how long it takes until they have read it and answered. */
import { once } from 'node:events'
import { Worker } from 'node:worker_threads'
import { integersFrom } from '@repo/common/async/random'
import { interleave } from '@repo/common/measure'
import { startProgram } from '@repo/common/process/child'
import { AsyncDisposableStack } from '@whatwg-node/disposablestack'
import { type Answer, sumOf } from './payload.ts'

/** In the order in which they are shown. */
export const ways = ['share', 'transfer', 'clone', 'process'] as const
export type Way = (typeof ways)[number]

/**
 * How much memory a payload takes at its worst, in multiples of its size: here twice (plain and shared), a clone at the
 * thread's, and on its way to a process written out, queued, collected and read.
 */
export const copies = 8

/** Data of one size for every way. */
export interface Payload {
  bytes: number
  sum: number
  plain: Int32Array<ArrayBuffer>
  shared: Int32Array<SharedArrayBuffer>
}

/** Numbers that nothing compresses and nobody guesses, the same in every run. Takes twice `bytes` of memory. */
export function payloadOf(bytes: number): Payload {
  const length = bytes / Int32Array.BYTES_PER_ELEMENT
  const plain = new Int32Array(length)
  const next = integersFrom(1)
  for (let i = 0; i < length; i++) plain[i] = next()
  const shared = new Int32Array(new SharedArrayBuffer(plain.byteLength))
  shared.set(plain)
  return { bytes, sum: sumOf(plain), plain, shared }
}

export interface Receivers extends AsyncDisposable {
  /**
   * Hands the payload over and waits until the receiver has answered with its sum. Returns the milliseconds from before
   * the sending to the answer; throws when the sum is wrong.
   */
  roundTrip: (way: Way, payload: Payload) => Promise<number>
}

/** Starts a worker thread and a child process that receive; both end when disposed of. Aborting fails what is waited for. */
export async function startReceivers(signal?: AbortSignal): Promise<Receivers> {
  const file = new URL('./receiver.worker.ts', import.meta.url)
  await using stack = new AsyncDisposableStack()
  const child = stack.use(await startProgram(file, { serialization: 'advanced', signal }))
  const worker = stack.adopt(new Worker(file), async (worker) => void (await worker.terminate()))
  await once(worker, 'message', { signal })

  // One message is under way at a time, and this is the answer to it; it may fail while nobody waits for it.
  let answer = Promise.withResolvers<Answer>()
  answer.promise.catch(() => {})
  const receive = (message: Answer) => answer.resolve(message)
  const fail = (error: Error) => answer.reject(error)
  worker.on('message', receive).on('error', fail)
  child.process.on('message', receive)
  child.exited.then(() => fail(new Error('the receiving process has ended')))
  const abort = () => fail(signal?.reason)
  signal?.addEventListener('abort', abort)
  stack.defer(() => signal?.removeEventListener('abort', abort))

  const send: Record<Way, (payload: Payload) => void> = {
    share: ({ shared: data }) => worker.postMessage({ data, giveBack: false }),
    transfer: ({ plain: data }) => worker.postMessage({ data, giveBack: true }, [data.buffer]),
    clone: ({ plain: data }) => worker.postMessage({ data, giveBack: false }),
    process: ({ plain: data }) => child.process.send({ data, giveBack: false }),
  }
  const owned = stack.move()
  return {
    async roundTrip(way, payload) {
      signal?.throwIfAborted()
      answer = Promise.withResolvers<Answer>()
      const begin = performance.now()
      send[way](payload)
      const { sum, data } = await answer.promise
      const ms = performance.now() - begin
      // What was transferred is another array now, over the same memory.
      if (data) payload.plain = data as Int32Array<ArrayBuffer>
      if (sum !== payload.sum)
        throw new Error(`${way}: ${payload.bytes} bytes arrived with sum ${sum}, not ${payload.sum}`)
      return ms
    },
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  }
}

/** The median time of a round trip for each way, and of adding up the same data `here`, without a message. */
export interface Trips extends Record<Way | 'here', { ms: number; gigabytesPerSecond: number }> {
  bytes: number
}

/** Measures all ways in turn, in as many rounds as a second has room for, at least 5 and at most 200. */
export async function measureTrips(receivers: Receivers, bytes: number, signal?: AbortSignal): Promise<Trips> {
  const payload = payloadOf(bytes)
  const turns: Record<string, () => unknown> = {
    here() {
      if (sumOf(payload.plain) !== payload.sum) throw new Error(`the sum of ${bytes} bytes has changed`)
    },
  }
  for (const way of ways) turns[way] = () => receivers.roundTrip(way, payload)

  const begin = performance.now()
  await interleave(turns, { rounds: 1, signal })
  const roundMs = (performance.now() - begin) / 2
  const rounds = Math.min(200, Math.max(5, Math.round(1_000 / roundMs)))
  const timings = await interleave(turns, { rounds, signal })
  const trips = Object.entries(timings).map(([way, { ms }]) => [way, { ms, gigabytesPerSecond: bytes / ms / 1e6 }])
  return { bytes, ...Object.fromEntries(trips) }
}
