import { expect, it } from 'vitest'
import { visible, withoutControlCharacters } from '../../src/output/control-characters.ts'

/** Clears the screen, sets the title, rings, goes back to the line's beginning, and turns the direction of writing. */
const evil = 'a\u001b[2J\u001b]0;title\u0007b\u0007\r\u009b31mc\td\ne\u202e'

it('are removed, except line ends and tabs', () => {
  expect(withoutControlCharacters(evil)).toBe('abc\td\ne\u202e')
})

it('are shown by their escapes, with what cannot be seen', () => {
  expect(visible('å “plain” text')).toBe('å “plain” text')
  expect(visible(evil)).toBe('a\\x1b[2J\\x1b]0;title\\x07b\\x07\\r\\x9b31mc\\td\\ne\\u{202e}')
})
