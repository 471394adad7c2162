/** Histories by hand: `w x 1` writes, `r x 1` reads, `c x 1 2` compares and sets; each with its begin and end. */
import type { Operation } from '../../src/linear/history.ts'

/**
 * Returns a history from lines such as `p 0-10 w 1`, `q 2-4 r -` (it read nothing), `p 5-9 c 1 2` (compare and set), `!c 1 2`
 * (refused). Without an end, as in `p 0- w 1`, there was no answer. All are about the key x, or about the one after `@`.
 */
export function parse(...lines: string[]): Operation[] {
  return lines.map((line) => {
    const [words = '', key = 'x'] = line.split(' @')
    const [client = '', time = '', kind = '', one = '', two = ''] = words.split(' ')
    const [begin, end] = time.split('-')
    const value = (text: string) => (text === '-' ? null : text)
    const asked = { client, key, beginMs: Number(begin) }
    const ended = <Answer extends object>(answer: Answer) => (end ? { ended: { atMs: Number(end), ...answer } } : {})
    if (kind === 'r') return { ...asked, does: { read: true }, ...ended({ read: value(one) }) }
    if (kind === 'w') return { ...asked, does: { write: one }, ...ended({ isDone: true }) }
    return { ...asked, does: { from: value(one), to: two }, ...ended({ isDone: kind === 'c' }) }
  })
}
