/** How wrong is my clock? The time that messages to a right clock take gives an estimate, and a bound for its error. */

/** A question and its answer, in ms: sent and received by the asker's clock, received and sent there by the other's. */
export interface Exchange {
  sent: number
  receivedThere: number
  sentThere: number
  received: number
}

/** How far the other's clock is ahead, in ms. The error is at most `bound`. */
export interface Offset {
  offset: number
  bound: number
}

/** Cristian 1989: assumes that the time in the answer was under way for half of the round trip. */
export function cristian({ sent, sentThere, received }: Exchange): Offset {
  const roundTrip = received - sent
  return { offset: sentThere + roundTrip / 2 - received, bound: roundTrip / 2 }
}

/** NTP (RFC 5905, section 8): takes both times of the other, so that its time to answer does not count. */
export function ntp({ sent, receivedThere, sentThere, received }: Exchange): Offset {
  const roundTrip = received - sent - (sentThere - receivedThere)
  return { offset: (receivedThere - sent + sentThere - received) / 2, bound: roundTrip / 2 }
}

/** Returns the estimate with the smallest bound: a fast exchange had little time to be uneven. */
export function best(offsets: readonly Offset[]): Offset {
  return offsets.reduce((least, offset) => (offset.bound < least.bound ? offset : least))
}
