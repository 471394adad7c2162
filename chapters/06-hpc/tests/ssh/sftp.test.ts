import { describe, expect, it } from 'vitest'
import { modeLike, unfinishedName } from '../../src/ssh/sftp.ts'

describe('the mode of a copy', () => {
  it.each([
    // Wanted, what the umask has left, and what it becomes.
    [0o644, 0o644, 0o644],
    [0o600, 0o644, 0o600],
    [0o755, 0o644, 0o755],
    [0o755, 0o600, 0o700],
    [0o444, 0o644, 0o444],
    [0o000, 0o600, 0o000],
    [0o644, 0o600, 0o600],
    [0o100755, 0o100644, 0o755],
    [0o4755, 0o755, 0o755],
    [0o666, 0o644, 0o644],
  ])('wanted as %i, and created as %i', (wanted, has, mode) => {
    expect(modeLike(wanted, has).toString(8)).toBe(mode.toString(8))
  })
})

describe('the name of an unfinished file', () => {
  it('is hidden, in the same folder, and says whose it is', () => {
    expect(unfinishedName('a/b.txt', '0123')).toBe('a/.b.txt.0123.part')
    expect(unfinishedName(`a/${'x'.repeat(80)}`, '0')).toBe(`a/.${'x'.repeat(80)}.0.part`)
  })

  it('is never too long for a file system, and another one for each file', () => {
    const long = '長'.repeat(85)
    const names = [long, `${long.slice(1)}x`, `${'長'.repeat(26)}xy${'z'.repeat(100)}`, 'x'.repeat(81)].map((name) =>
      unfinishedName(name, '0'.repeat(36)),
    )
    for (const name of names) {
      expect(Buffer.byteLength(name)).toBeLessThanOrEqual(143)
      expect(name).toMatch(/^\.[^\ufffd]+~[\da-f]{8}\.0{36}\.part$/)
    }
    expect(new Set(names).size).toBe(names.length)
  })
})
