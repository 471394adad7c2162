/** How long it takes until another thread or process has read the same data and answered. */
import { once } from 'node:events'
import { Worker } from 'node:worker_threads'
import { accepting, listOf } from '@repo/common/example/options'
import { interleave } from '@repo/common/measure'
import { type Program, startProgram } from '@repo/common/process/child'
import { AsyncDisposableStack } from '@whatwg-node/disposablestack'
import { type Answer, type Payload, payloadOf, sumOf } from './payload.ts'

const unitBytes: Record<string, number> = { B: 1, kB: 1e3, MB: 1e6, GB: 1e9 }

/** Bytes from `64000`, `64kB`, `64 MB` or `1GB`, rounded down to whole numbers of four bytes. */
const size = accepting('a size', (text) => {
  const [, number, unit = 'B'] = /^(\d+)\s*(B|kB|MB|GB)?$/.exec(text) ?? []
  const bytes = 4 * Math.floor((Number(number) * (unitBytes[unit] ?? 1)) / 4)
  return bytes >= 4 && bytes <= 1e9 ? bytes : undefined
})

/** An option: sizes of payloads in bytes. */
export const sizeList = listOf(size, 'up to 100 different sizes from 4 B to 1 GB, the smallest first: 1kB,64kB,1MB', {
  max: 100,
  ascending: true,
})

/**
 * How much memory a payload takes at its peak, in multiples of its size: here twice (plain and shared), as a clone in
 * the thread, and on its way to a process serialized, queued, collected and read.
 */
export const copies = 8

export interface Receivers extends AsyncDisposable {
  /** Both take a `Request` and answer it. */
  worker: Worker
  child: Program<undefined>['process']
  /**
   * Has `send` hand the payload to one of the receivers and waits for the answer. Returns the milliseconds from just
   * before sending to the answer; throws when the sum in it is wrong.
   */
  roundTrip: (payload: Payload, send: Send) => Promise<number>
}

/** Hands a payload to one of the receivers. */
export type Send = (payload: Payload, receivers: Pick<Receivers, 'worker' | 'child'>) => void

/** Starts a thread and a process that receive; disposing of them ends both. Aborting fails a round trip. */
export async function startReceivers(signal?: AbortSignal): Promise<Receivers> {
  await using stack = new AsyncDisposableStack()
  const program = new URL('./receiver.program.ts', import.meta.url)
  const { process: child, exited } = stack.use(await startProgram(program, { serialization: 'advanced', signal }))
  const worker = new Worker(new URL('./receiver.worker.ts', import.meta.url))
  stack.defer(async () => void (await worker.terminate()))
  await once(worker, 'message', { signal })

  // One message is under way at a time, and this is the answer to it; it may fail while nothing waits for it.
  let answer = Promise.withResolvers<Answer>()
  answer.promise.catch(() => {})
  const receive = (message: Answer) => answer.resolve(message)
  const fail = (error: Error) => answer.reject(error)
  worker.on('message', receive).on('error', fail)
  child.on('message', receive)
  exited.then(() => fail(new Error('the receiving process has ended')))
  const abort = () => fail(signal?.reason)
  signal?.addEventListener('abort', abort)
  stack.defer(() => signal?.removeEventListener('abort', abort))

  const owned = stack.move()
  return {
    worker,
    child,
    async roundTrip(payload, send) {
      signal?.throwIfAborted()
      answer = Promise.withResolvers<Answer>()
      const begin = performance.now()
      send(payload, { worker, child })
      const { sum, data } = await answer.promise
      const ms = performance.now() - begin
      // What was transferred comes back as another array over the same memory.
      if (data) payload.plain = data as Payload['plain']
      if (sum !== payload.sum) throw new Error(`${payload.bytes} bytes arrived with sum ${sum}, not ${payload.sum}`)
      return ms
    },
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  }
}

/** The median time of a round trip in each way, and of adding up the same data `here`, without a message. */
export type Trips<Way extends string> = { bytes: number } & Record<
  Way | 'here',
  { ms: number; gigabytesPerSecond: number }
>

/** Measures all ways in turn, in as many rounds as fit into a second, at least 5 and at most 200. */
export async function measureTrips<Way extends string>(
  receivers: Receivers,
  ways: Record<Way, Send>,
  bytes: number,
  signal?: AbortSignal,
): Promise<Trips<Way>> {
  const payload = payloadOf(bytes)
  const turns: Record<string, () => unknown> = {
    here() {
      if (sumOf(payload.plain) !== payload.sum) throw new Error(`the sum of ${bytes} bytes has changed`)
    },
  }
  for (const [way, send] of Object.entries<Send>(ways)) turns[way] = () => receivers.roundTrip(payload, send)

  const begin = performance.now()
  await interleave(turns, { rounds: 1, signal })
  const roundMs = (performance.now() - begin) / 2
  const rounds = Math.min(200, Math.max(5, Math.round(1_000 / roundMs)))
  const timings = await interleave(turns, { rounds, signal })
  const trips = Object.entries(timings).map(([way, { ms }]) => [way, { ms, gigabytesPerSecond: bytes / ms / 1e6 }])
  return { bytes, ...Object.fromEntries(trips) }
}
