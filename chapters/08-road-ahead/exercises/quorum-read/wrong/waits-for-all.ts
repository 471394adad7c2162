// The checker says: A write does not end while one of three copies is away.
/** Reads from any copy, because each write waits for all of them: R + W is more than the number of copies. */
import type { Copies } from '../check.ts'

export async function read(copies: Copies): Promise<string> {
  const [first] = await copies.read(1)
  return first.value
}

export async function write(value: string, writer: string, copies: Copies): Promise<void> {
  const [{ version }] = await copies.read(1)
  await copies.write({ version: { count: version.count + 1, writer }, value }, copies.number)
}
