/** From who led when: how long nobody did, and how long two did. */

/** From when until when somebody took itself for the leader, in ms by one clock. */
export interface Term {
  name: string
  fromMs: number
  toMs: number
}

export interface Trouble {
  kind: 'nobody leads' | 'two lead'
  fromMs: number
  toMs: number
}

/** Returns when, within a time, nobody led, and when two or more did. */
export function findTroubles(terms: readonly Term[], fromMs: number, toMs: number): Trouble[] {
  const inside = (ms: number) => Math.min(toMs, Math.max(fromMs, ms))
  const moments = [fromMs, toMs, ...terms.flatMap((term) => [inside(term.fromMs), inside(term.toMs)])]
  moments.sort((a, b) => a - b)
  return moments.slice(1).flatMap((end, at): Trouble[] => {
    const begin = moments[at]
    const leading = terms.filter((term) => term.fromMs <= begin && term.toMs >= end).length
    if (begin === end || leading === 1) return []
    return [{ kind: leading === 0 ? 'nobody leads' : 'two lead', fromMs: begin, toMs: end }]
  })
}

/** Returns how long a kind of trouble lasted in all, in ms, without what was before `sinceMs`. */
export function lasted(troubles: readonly Trouble[], kind: Trouble['kind'], sinceMs = Number.NEGATIVE_INFINITY) {
  const parts = troubles.map((trouble) =>
    trouble.kind === kind ? trouble.toMs - Math.max(trouble.fromMs, sinceMs) : 0,
  )
  return parts.reduce((sum, ms) => sum + Math.max(0, ms), 0)
}
