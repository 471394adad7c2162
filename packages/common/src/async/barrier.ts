/** A barrier for threads. */

/**
 * Returns when `threads` threads have called it. They can meet at the same barrier again and again.
 *
 * Waiting blocks the thread, which sleeps: the operating system spreads threads that wake together over the cores, while a
 * spinning thread would hold a core that another one may need to get here.
 *
 * @param counters where the threads are counted, shared by all of them and 0 at first
 * @param at the index of this barrier's counter
 */
export function meet(counters: Int32Array<SharedArrayBuffer>, threads: number, at = 0): void {
  let arrived = Atomics.add(counters, at, 1) + 1
  const all = Math.ceil(arrived / threads) * threads
  if (arrived === all) Atomics.notify(counters, at)
  for (; arrived < all; arrived = Atomics.load(counters, at)) Atomics.wait(counters, at, arrived)
}
