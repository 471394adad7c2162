/**
 * Texts that others have chosen must not move the cursor, change colours or write over other lines of the reader's terminal.
 */
import { stripVTControlCharacters } from 'node:util'

/** Removes what would do that. Line ends and tabs stay. */
export function withoutControlCharacters(text: string): string {
  return stripVTControlCharacters(text).replaceAll(/[\p{Cc}--[\n\t]]/gv, '')
}

/** Shows what would do that, and what cannot be seen, by escapes: `\\x1b[2J`, `\\n`. For names, and texts on one line. */
export function visible(text: string): string {
  return text.replaceAll(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, (character) => {
    const code = character.codePointAt(0) ?? 0
    const known = { 9: '\\t', 10: '\\n', 13: '\\r' }[code]
    return known ?? (code < 256 ? `\\x${code.toString(16).padStart(2, '0')}` : `\\u{${code.toString(16)}}`)
  })
}
