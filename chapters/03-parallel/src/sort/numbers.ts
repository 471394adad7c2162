/** The types of numbers that the sorts take, and memory in which threads sort them together. */
export const arrays = { int32: Int32Array, uint32: Uint32Array, float32: Float32Array, float64: Float64Array }

export type NumberType = keyof typeof arrays
export const numberTypes = Object.keys(arrays) as NumberType[]

export type Numbers<Buffer extends ArrayBufferLike = ArrayBufferLike> =
  | Int32Array<Buffer>
  | Uint32Array<Buffer>
  | Float32Array<Buffer>
  | Float64Array<Buffer>

/** What every worker sees: the numbers, and as much memory again. The sorts go back and forth between the two. */
export interface SortMemory {
  numbers: Numbers<SharedArrayBuffer>
  scratch: Numbers<SharedArrayBuffer>
}

/** Memory for sorting `length` numbers: twice their size. */
export function sortMemory(type: NumberType, length: number): SortMemory {
  const Numbers = arrays[type] as new (memory: SharedArrayBuffer) => SortMemory['numbers']
  const allocate = () => new Numbers(new SharedArrayBuffer(length * arrays[type].BYTES_PER_ELEMENT))
  return { numbers: allocate(), scratch: allocate() }
}

export function isFloat(numbers: Numbers): numbers is Float32Array | Float64Array {
  return numbers instanceof Float32Array || numbers instanceof Float64Array
}
