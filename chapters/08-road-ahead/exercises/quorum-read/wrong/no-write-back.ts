// The checker says: A read returns the new value, and a later read the old one.
/** Believes that two majorities are enough. */
import type { Copies, Copy } from '../check.ts'

export async function read(copies: Copies): Promise<string> {
  return (await newest(copies)).value
}

export async function write(value: string, writer: string, copies: Copies): Promise<void> {
  const { version } = await newest(copies)
  await copies.write({ version: { count: version.count + 1, writer }, value }, 2)
}

async function newest(copies: Copies): Promise<Copy> {
  const answers = await copies.read(2)
  return answers.reduce((a, b) => (isNewer(b, a) ? b : a))
}

const isNewer = ({ version: a }: Copy, { version: b }: Copy) =>
  a.count > b.count || (a.count === b.count && a.writer > b.writer)
