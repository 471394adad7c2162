/** Dividing consecutive pieces of work among workers. */

/** Pieces `from` up to, and without, `to`. */
export interface Range {
  from: number
  to: number
}

/** Cuts a range into `parts` of the same length, or one piece more. */
export function divide({ from, to }: Range, parts: number): Range[] {
  const boundary = (part: number) => from + Math.floor(((to - from) * part) / parts)
  return Array.from({ length: parts }, (_, part) => ({ from: boundary(part), to: boundary(part + 1) }))
}
