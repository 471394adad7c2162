import { expect, it } from 'vitest'
import { maskPasswords } from '../../src/output/secrets.ts'

it.each([
  ['redis://localhost:6379/0', 'redis://localhost:6379/0'],
  ['redis://:a:b/c@d@host:1 and mail a@b.c', 'redis://:***@host:1 and mail a@b.c'],
  ['"https://u:p@h","x@y"', '"https://u:***@h","x@y"'],
])('masks the passwords in %s', (text, masked) => {
  expect(maskPasswords(text)).toBe(masked)
})
