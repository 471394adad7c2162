/**
 * A register with several copies, of which a client asks some: the algorithm of Attiya, Bar-Noy and Dolev (1995), for
 * several writers.
 */
import type { Copies, Copy } from './check.ts'

/** Returns the value of the register. */
export async function read(copies: Copies): Promise<string> {
  const found = await newest(copies)
  // Its write may still be under way, with this value on one copy only: the next reader must find it as well.
  await copies.write(found, majorityOf(copies))
  return found.value
}

/**
 * Writes a value.
 *
 * @param writer the client's name, which no other client has
 */
export async function write(value: string, writer: string, copies: Copies): Promise<void> {
  const { version } = await newest(copies)
  await copies.write({ version: { count: version.count + 1, writer }, value }, majorityOf(copies))
}

/** Returns the newest of a majority of the copies. Every write that has ended is on one of them. */
async function newest(copies: Copies): Promise<Copy> {
  const answers = await copies.read(majorityOf(copies))
  return answers.reduce((a, b) => (isNewer(b, a) ? b : a))
}

const majorityOf = ({ number }: Copies) => Math.floor(number / 2) + 1

const isNewer = ({ version: a }: Copy, { version: b }: Copy) =>
  a.count > b.count || (a.count === b.count && a.writer > b.writer)
