// The checker says: Two writes have ended, and two later reads return different values.
/** Takes the number alone for a version: two clients that write at the same time have the same one. */
import type { Copies, Copy } from '../check.ts'

export async function read(copies: Copies): Promise<string> {
  const found = await newest(copies)
  await copies.write(found, 2)
  return found.value
}

export async function write(value: string, _writer: string, copies: Copies): Promise<void> {
  const { version } = await newest(copies)
  await copies.write({ version: { count: version.count + 1, writer: 'client' }, value }, 2)
}

async function newest(copies: Copies): Promise<Copy> {
  const answers = await copies.read(2)
  return answers.reduce((a, b) => (b.version.count > a.version.count ? b : a))
}
