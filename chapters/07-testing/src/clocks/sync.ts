/** How wrong is my clock? The round trip to a correct clock gives an estimate, and a bound on its error. */

/** A request and its reply, in ms: sent and received by the asker's clock, received and sent by the other's. */
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

// #region estimates
/** Cristian 1989: assumes that the reply was under way for half the round trip. */
export function cristian({ sent, sentThere, received }: Exchange): Offset {
  const roundTrip = received - sent
  return { offset: sentThere + roundTrip / 2 - received, bound: roundTrip / 2 }
}

/** NTP (RFC 5905, section 8): uses both timestamps of the other, so that its processing time does not count. */
export function ntp({ sent, receivedThere, sentThere, received }: Exchange): Offset {
  const roundTrip = received - sent - (sentThere - receivedThere)
  return { offset: (receivedThere - sent + sentThere - received) / 2, bound: roundTrip / 2 }
}
// #endregion estimates

/** Returns the estimate with the smallest bound: a fast exchange had little time to be asymmetric. */
export function best(offsets: readonly Offset[]): Offset {
  return offsets.reduce((least, offset) => (offset.bound < least.bound ? offset : least))
}
