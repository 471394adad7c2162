/** One value, of which the last one written stays. The others are lost, and nobody is told. */
import { compareIds, type Id, timeOf } from './lattice.ts'

/** A value and the edit that wrote it; undefined while nothing was written. */
export type Register<Value> = { value: Value; id: Id } | undefined

/** Returns the delta that writes a value. Its time is later than that of the value that the replica saw. */
export function write<Value>(register: Register<Value>, replica: string, value: Value): Register<Value> {
  return { value, id: `${(register ? timeOf(register.id) : 0) + 1}@${replica}` }
}

export function mergeRegisters<Value>(a: Register<Value>, b: Register<Value>): Register<Value> {
  if (!a || !b) return a ?? b
  return compareIds(a.id, b.id) >= 0 ? a : b
}
