/** A search in a text that arrives in pieces. */

/**
 * Yields the position of each match of `pattern`, a plain text, in the chunks put together. Matches do not overlap. Each is
 * yielded before another chunk is taken.
 */
export function* matches(_pattern: string, _chunks: Iterable<string>): Generator<number, void, void> {
  // Your code: what of a chunk can belong to a match that is not complete yet?
}
