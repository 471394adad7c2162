/** How wrong is my clock? Estimated from messages to one that is taken for right, and bounded by how long they took. */

/** One question and its answer, in ms: sent and received by the asker's clock, received and sent by the other's. */
export interface Exchange {
  sent: number
  receivedThere: number
  sentThere: number
  received: number
}

/** How far the other's clock is ahead of one's own, in ms; the truth is at most `bound` from it. */
export interface Offset {
  offset: number
  bound: number
}

/** Cristian 1989: the answer says one time, and is taken to have been under way for half of the round trip. */
export function cristian({ sent, sentThere, received }: Exchange): Offset {
  const roundTrip = received - sent
  return { offset: sentThere + roundTrip / 2 - received, bound: roundTrip / 2 }
}

/** NTP (RFC 5905, section 8): with both times of the other, so that how long it took to answer does not count. */
export function ntp({ sent, receivedThere, sentThere, received }: Exchange): Offset {
  const roundTrip = received - sent - (sentThere - receivedThere)
  return { offset: (receivedThere - sent + sentThere - received) / 2, bound: roundTrip / 2 }
}

/** Of several estimates that with the smallest bound: what was fast had little time to be uneven. */
export function best(offsets: readonly Offset[]): Offset {
  return offsets.reduce((least, offset) => (offset.bound < least.bound ? offset : least))
}
