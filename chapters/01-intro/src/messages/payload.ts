/** What the receivers of the `messages` example do; its own small file, for it loads in every one of them. */

/** What is sent; the receiver adds all of it up, so that the data must really have come. */
export type Data = Int32Array<ArrayBufferLike>

export interface Request {
  data: Data
  /** Whether the memory has to come back with the answer, as it was given away. */
  giveBack: boolean
}

export interface Answer {
  sum: number
  data?: Data
}

/** The sum of all numbers in 32 bits, in four parts that do not wait for each other: as fast as memory is read. */
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
