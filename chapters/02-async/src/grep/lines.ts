/** Lines from a text that arrives in pieces. */

/** How much is read from a file at a time. */
export const chunkBytes = 64 * 1024

/**
 * Collects pieces of text and hands out the lines that they complete. As in grep, a line ends with `\n`, which is not
 * part of it, while a `\r` before that is. Text after the last `\n` is a line too.
 */
export class LineSplitter {
  #rest = '';

  /** The lines that end in this piece. */
  *push(piece: string): Generator<string, void, void> {
    let from = 0
    for (let end = piece.indexOf('\n'); end >= 0; end = piece.indexOf('\n', from)) {
      // Only the new piece is searched, so a line that arrives in a thousand pieces is still read only once.
      yield this.#rest + piece.slice(from, end)
      this.#rest = ''
      from = end + 1
    }
    this.#rest += piece.slice(from)
  }

  /** The last line, if the text did not end with `\n`. */
  *end(): Generator<string, void, void> {
    if (this.#rest !== '') yield this.#rest
    this.#rest = ''
  }
}
