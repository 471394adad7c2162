/**
 * Way 4: blocks of bytes. Lines are not cut out and not decoded unless the pattern needs it. A plain text is searched
 * as bytes. A pattern that contains a text is tried only on the lines that contain this text. For an ASCII pattern,
 * each byte is taken for a character.
 */
import { closeSync, openSync, readSync } from 'node:fs'
import { type Count, lineCounter, type Search } from './pattern.ts'

const newline = 10
/** Larger blocks no longer fit into a core's own cache. */
const blockBytes = 512 * 1024
/** Shorter texts occur in too many lines to be worth a search of their own. */
const leastRequired = 3

export function inBytes(search: Search, files: string[]): Count {
  const total = { occurrences: 0, lines: 0 }
  const countIn = blockCounter(search, total)
  let buffer = Buffer.allocUnsafe(blockBytes)
  for (const file of files) {
    const descriptor = openSync(file, 'r')
    try {
      // The beginning of a line stays at the front of the buffer until the line's end has been read.
      let kept = 0
      for (;;) {
        const size = readSync(descriptor, buffer, kept, buffer.length - kept, null)
        const end = kept + size
        if (size === 0) {
          if (kept > 0) countIn(buffer.subarray(0, kept))
          break
        }
        const complete = buffer.subarray(0, end).lastIndexOf(newline) + 1
        if (complete > 0) countIn(buffer.subarray(0, complete))
        buffer.copyWithin(0, complete, end)
        kept = end - complete
        if (kept === buffer.length) buffer = Buffer.concat([buffer], 2 * buffer.length)
      }
    } finally {
      closeSync(descriptor)
    }
  }
  return total
}

/** A function that adds the matches in a block of whole lines to `total`. */
function blockCounter(search: Search, total: Count): (block: Buffer) => void {
  const { source, flags, literal, ascii, withinLines, pattern, required } = search
  // #region literal
  if (literal) {
    const bytes = Buffer.from(pattern)
    return (block) => {
      let lineEnd = 0
      for (let at = block.indexOf(bytes); at >= 0; at = block.indexOf(bytes, at + bytes.length)) {
        total.occurrences++
        if (at < lineEnd) continue
        total.lines++
        lineEnd = endOfLine(block, at)
      }
    }
  }
  // #endregion literal
  const textOf = (block: Buffer) => block.toString(ascii ? 'latin1' : 'utf8')
  const matchesIn = lineCounter(search)
  if (required.length >= leastRequired) {
    const bytes = Buffer.from(required)
    return (block) => {
      for (let at = block.indexOf(bytes); at >= 0; ) {
        const end = endOfLine(block, at)
        const matches = matchesIn(textOf(block.subarray(block.lastIndexOf(newline, at) + 1, end)))
        at = block.indexOf(bytes, end)
        if (matches === undefined) continue
        total.occurrences += matches
        total.lines++
      }
    }
  }
  if (withinLines) {
    const regExp = new RegExp(source, flags)
    return (block) => {
      const text = textOf(block)
      let lineEnd = 0
      while (regExp.test(text)) {
        total.occurrences++
        // No match is empty, and none reaches beyond the end of its line.
        if (regExp.lastIndex <= lineEnd) continue
        total.lines++
        lineEnd = endOfLine(text, regExp.lastIndex)
      }
    }
  }
  return (block) => {
    const text = textOf(block)
    for (let from = 0; from < text.length; ) {
      const end = endOfLine(text, from)
      const matches = matchesIn(text.slice(from, end))
      from = end + 1
      if (matches === undefined) continue
      total.occurrences += matches
      total.lines++
    }
  }
}

/** The end of the line that `from` is in: the index of its `\n`, or the end of the last line. */
function endOfLine(block: Buffer | string, from: number): number {
  const end = typeof block === 'string' ? block.indexOf('\n', from) : block.indexOf(newline, from)
  return end < 0 ? block.length : end
}
