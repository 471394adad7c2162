// The checker says: A write has ended, and is lost: its version is older than the one before.
/** A register with several copies, of which a client asks some. */
import type { Copies } from './check.ts'

/** Returns the value of the register. */
export async function read(copies: Copies): Promise<string> {
  // Your code: how many answers are enough, which one is right, and who else must know it before you return it?
  const [first] = await copies.read(1)
  return first.value
}

/**
 * Writes a value.
 *
 * @param writer the client's name, which no other client has
 */
export async function write(value: string, writer: string, copies: Copies): Promise<void> {
  // Your code: which version is newer than all that were written before?
  await copies.write({ version: { count: 1, writer }, value }, 1)
}
