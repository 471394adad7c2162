/** What is handed over in the `messages` example. Every receiver loads this file, so it stays small. */
import { randomFillSync } from 'node:crypto'

export type Data = Int32Array<ArrayBufferLike>

/** Data of one size for every way of handing it over. */
export interface Payload {
  bytes: number
  sum: number
  plain: Int32Array<ArrayBuffer>
  shared: Int32Array<SharedArrayBuffer>
}

/** Random numbers, so that nothing on the way can compress or guess them. Takes twice `bytes` of memory. */
export function payloadOf(bytes: number): Payload {
  const plain = randomFillSync(new Int32Array(bytes / Int32Array.BYTES_PER_ELEMENT))
  const shared = new Int32Array(new SharedArrayBuffer(plain.byteLength))
  shared.set(plain)
  return { bytes, sum: sumOf(plain), plain, shared }
}

/** What a receiver is sent. */
export interface Request {
  data: Data
  /** Whether the memory must come back with the answer, because it was given away. */
  giveBack?: boolean
}

export interface Answer {
  sum: number
  data?: Data
}

/**
 * The sum of all numbers in 32 bits. A receiver can only know it if the data has really arrived. Four partial sums that
 * do not wait for each other make this as fast as memory can be read.
 */
export function sumOf(data: Data): number {
  let [a, b, c, d] = [0, 0, 0, 0]
  const end = data.length & ~3
  for (let i = 0; i < end; i += 4) {
    a = (a + data[i]) | 0
    b = (b + data[i + 1]) | 0
    c = (c + data[i + 2]) | 0
    d = (d + data[i + 3]) | 0
  }
  for (let i = end; i < data.length; i++) a = (a + data[i]) | 0
  return (a + b + c + d) | 0
}

/**
 * Frees a received copy at once: the garbage collector sees small objects and would let many large ones gather. Data
 * from a process's channel may lie in memory that the channel still reads from; that is left alone.
 */
export function free({ buffer, byteLength }: Data): void {
  if (buffer instanceof ArrayBuffer && buffer.byteLength === byteLength) buffer.transfer(0)
}
