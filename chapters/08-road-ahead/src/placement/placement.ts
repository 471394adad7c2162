/** Which node keeps a key: four ways to decide it without asking anybody. */
import { createHash } from 'node:crypto'

/** Returns the node that keeps a key, from 0. */
export type Place = (key: string) => number

/** A 64-bit hash of a text, even over its whole range: the beginning of its MD5, which is fast and not used against anybody. */
export function hash64(text: string): bigint {
  return createHash('md5').update(text).digest().readBigUInt64BE()
}

/** The remainder of the hash. Almost every key moves when the number of nodes changes. */
export function modulo(nodes: number): Place {
  return (key) => Number(hash64(key) % BigInt(nodes))
}

/**
 * Consistent hashing, after Karger et al. (1997): nodes and keys lie on a circle, and a key belongs to the next node. Each
 * node lies there `points` times, as "virtual nodes", so that the arcs become even.
 */
export function ring(nodes: number, points: number): Place {
  const circle: { node: number; at: bigint }[] = []
  for (let node = 0; node < nodes; node++)
    for (let point = 0; point < points; point++) circle.push({ node, at: hash64(`node ${node} point ${point}`) })
  circle.sort((a, b) => (a.at < b.at ? -1 : 1))
  return (key) => {
    // #region next-point
    const at = hash64(key)
    let from = 0
    let to = circle.length
    while (from < to) {
      const middle = (from + to) >> 1
      if (circle[middle].at < at) from = middle + 1
      else to = middle
    }
    // After the last point comes the first.
    return circle[from % circle.length].node
    // #endregion next-point
  }
}

// #region jump
/**
 * Jump consistent hash, after Lamping and Veach (2014): no table at all. A node can only be added or removed at the end.
 *
 * @param hash a number of 64 bits
 */
export function jumpHash(hash: bigint, nodes: number): number {
  let at = -1
  for (let next = 0; next < nodes; ) {
    // The node at which the key stays until there are more than `next` nodes.
    at = next
    hash = BigInt.asUintN(64, hash * 2_862_933_555_777_941_757n + 1n)
    next = Math.floor((at + 1) * (2 ** 31 / (Number(hash >> 33n) + 1)))
  }
  return at
}
// #endregion jump

export function jump(nodes: number): Place {
  return (key) => jumpHash(hash64(key), nodes)
}

/** Rendezvous hashing, after Thaler and Ravishankar (1996): the node with the highest hash of node and key. Any node may leave. */
export function rendezvous(nodes: number): Place {
  return (key) => {
    const scores = Array.from({ length: nodes }, (_, node) => hash64(`${node} ${key}`))
    return scores.reduce((best, score, node) => (score > scores[best] ? node : best), 0)
  }
}
