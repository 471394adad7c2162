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

/** Returns when, from 0 to a time, nobody led, and when two or more did. */
export function findTroubles(terms: readonly Term[], endMs: number): Trouble[] {
  const inside = (ms: number) => Math.min(endMs, Math.max(0, ms))
  const moments = [0, endMs, ...terms.flatMap(({ fromMs, toMs }) => [inside(fromMs), inside(toMs)])]
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
  return troubles
    .filter((trouble) => trouble.kind === kind)
    .reduce((sum, { fromMs, toMs }) => sum + Math.max(0, toMs - Math.max(fromMs, sinceMs)), 0)
}
