// The checker says: A read returns the new value, and a later read the old one.
/** Writes back to a single copy, which had it already. */
import type { Copies, Copy } from '../check.ts'

export async function read(copies: Copies): Promise<string> {
  const found = await newest(copies)
  await copies.write(found, 1)
  return found.value
}

export async function write(value: string, writer: string, copies: Copies): Promise<void> {
  const { version } = await newest(copies)
  await copies.write({ version: { count: version.count + 1, writer }, value }, majorityOf(copies))
}

async function newest(copies: Copies): Promise<Copy> {
  const answers = await copies.read(majorityOf(copies))
  return answers.reduce((a, b) => (isNewer(b, a) ? b : a))
}

const majorityOf = ({ number }: Copies) => Math.floor(number / 2) + 1

const isNewer = ({ version: a }: Copy, { version: b }: Copy) =>
  a.count > b.count || (a.count === b.count && a.writer > b.writer)
