/** Divides consecutive items among workers. */

/** The items [from, to). */
export interface Range {
  from: number
  to: number
}

/** Cuts a range into `parts` ranges whose lengths differ by at most one. */
export function divide({ from, to }: Range, parts: number): Range[] {
  const boundary = (part: number) => from + Math.floor(((to - from) * part) / parts)
  return Array.from({ length: parts }, (_, part) => ({ from: boundary(part), to: boundary(part + 1) }))
}
