/** A barrier for threads. */

/**
 * Blocks until `threads` threads have called it. They can meet at the same barrier again and again.
 *
 * A waiting thread sleeps and does not spin. Spinning would hold a core that another thread may need to get here, and
 * the operating system spreads threads that wake together over the cores.
 *
 * @param counters shared by all threads, with zeros at first
 * @param at the index of this barrier's counter
 */
export function meet(counters: Int32Array<SharedArrayBuffer>, threads: number, at = 0): void {
  let arrived = Atomics.add(counters, at, 1) + 1
  const all = Math.ceil(arrived / threads) * threads
  if (arrived === all) Atomics.notify(counters, at)
  for (; arrived < all; arrived = Atomics.load(counters, at)) Atomics.wait(counters, at, arrived)
}
