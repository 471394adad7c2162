/**
 * The laws of speedup. `parallel` is the fraction of the one-processor time that can be divided among processors, 0 to
 * 1; `processors` is 1 or more and need not be whole; a speedup is T(1) / T(processors).
 */

// #region amdahl
/**
 * The speedup of work of a fixed size: 1 / ((1 − f) + f / P).
 * Gene Amdahl, "Validity of the single processor approach to achieving large scale computing capabilities", 1967.
 */
export function amdahl(parallel: number, processors: number): number {
  return 1 / (1 - parallel + parallel / processors)
}

/** The limit that Amdahl's speedup approaches and never passes, 1 / (1 − f); Infinity without a serial part. */
export function amdahlLimit(parallel: number): number {
  return 1 / (1 - parallel)
}
// #endregion amdahl

/**
 * The COST of a program that Amdahl's law describes: the fewest processors on which it beats another program that is
 * `lead` times as fast as this one on one processor. Infinity if the lead is not below Amdahl's limit.
 * Frank McSherry, Michael Isard and Derek Murray, "Scalability! But at what COST?", HotOS 2015.
 */
// #region cost
export function amdahlCost(parallel: number, lead: number): number {
  // What the serial part leaves of the other program's time, as a share of the time on one processor.
  const rest = 1 / lead - (1 - parallel)
  return rest > Number.EPSILON ? Math.floor(parallel / rest) + 1 : Number.POSITIVE_INFINITY
}
// #endregion cost

// #region gustafson
/**
 * The speedup of work that grows with the processors so that the time stays the same: (1 − f) + f · P. Here f is the
 * fraction of the time on all processors.
 * John Gustafson, "Reevaluating Amdahl's law", Communications of the ACM 31(5), 1988.
 */
export function gustafson(parallel: number, processors: number): number {
  return 1 - parallel + parallel * processors
}
// #endregion gustafson

// #region karp-flatt
/**
 * The serial fraction that a measured speedup implies: (1/S − 1/P) / (1 − 1/P). A fraction that grows with P is not
 * serial work but overhead. It is negative if the speedup is above P, and NaN on one processor.
 * Alan Karp and Horace Flatt, "Measuring parallel processor performance", Communications of the ACM 33(5), 1990.
 */
export function karpFlatt(speedup: number, processors: number): number {
  return (1 / speedup - 1 / processors) / (1 - 1 / processors)
}
// #endregion karp-flatt

// #region usl
export interface Usl {
  /** σ: the part of the work that waits its turn. With κ = 0 this is Amdahl's serial fraction. */
  contention: number
  /** κ: the cost of agreement between each pair of processors. */
  coherency: number
}

/**
 * The Universal Scalability Law: P / (1 + σ(P − 1) + κP(P − 1)). With κ > 0 the speedup has a peak, after which more
 * processors make the work slower.
 * Neil Gunther, "A general theory of computational scalability based on rational functions", 2008.
 */
export function usl({ contention, coherency }: Usl, processors: number): number {
  return processors / (1 + contention * (processors - 1) + coherency * processors * (processors - 1))
}
// #endregion usl

/** The number of processors at which the USL's speedup is highest, √((1 − σ) / κ), at least 1; Infinity if κ = 0. */
export function uslPeak({ contention, coherency }: Usl): number {
  return Math.max(1, Math.sqrt((1 - contention) / coherency))
}

/**
 * The amount of work that sustains an efficiency on a number of processors, the W for which
 * W = E / (1 − E) · overhead(W, P). Infinity if no amount is enough, as with any serial fraction once there are enough
 * processors.
 * Ananth Grama, Anshul Gupta and Vipin Kumar, "Isoefficiency: measuring the scalability of parallel algorithms and
 * architectures", IEEE Parallel & Distributed Technology 1(3), 1993.
 *
 * @param efficiency speedup / processors, above 0 and below 1
 * @param overhead the time that all processors together spend on anything but the work, P · T(P) − W, in the unit of W;
 *   for large W it must grow more slowly than W
 */
export function isoefficiency(
  efficiency: number,
  processors: number,
  overhead: (work: number, processors: number) => number,
): number {
  const isEnough = (work: number) => work >= (efficiency / (1 - efficiency)) * overhead(work, processors)
  let high = 1
  while (!isEnough(high)) {
    high *= 2
    if (high > 1e200) return Number.POSITIVE_INFINITY
  }
  let low = 0
  // Halve the interval until no floating-point number lies between its ends.
  for (let middle = high / 2; middle > low && middle < high; middle = (low + high) / 2) {
    if (isEnough(middle)) high = middle
    else low = middle
  }
  return high
}
