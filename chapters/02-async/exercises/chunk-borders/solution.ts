/** A search in a text that arrives in pieces. */

/**
 * Yields the position of each match of `pattern`, a plain text, in the chunks put together. Matches do not overlap. Each is
 * yielded before another chunk is taken.
 */
export function* matches(pattern: string, chunks: Iterable<string>): Generator<number, void, void> {
  // What may be the beginning of a match, and its position in the whole text.
  let rest = ''
  let restAt = 0
  for (const chunk of chunks) {
    const text = rest + chunk
    let end = 0
    for (let at = text.indexOf(pattern); at >= 0; at = text.indexOf(pattern, end)) {
      yield restAt + at
      end = at + pattern.length
    }
    // One character less than the pattern, and nothing of a match. (slice(-0) would be everything.)
    const from = Math.max(end, text.length - (pattern.length - 1))
    rest = text.slice(from)
    restAt += from
  }
}
