import { stripVTControlCharacters } from 'node:util'
import { describe, expect, it } from 'vitest'
import { bytes, count, milliseconds, percent, table, times } from '../src/terminal.ts'

describe('numbers for a reader', () => {
  it.each([
    [0.000_42, '0.00042 ms'],
    [1.234, '1.2 ms'],
    [12.34, '12.3 ms'],
    [138.2, '138 ms'],
    [1_234, '1.23 s'],
    [12_345, '12.3 s'],
  ])('%d ms is %s', (ms, text) => {
    expect(milliseconds(ms)).toBe(text)
  })

  it.each([
    [0, '0 B'],
    [512, '512 B'],
    [1_500, '1.5 kB'],
    [10_800_000, '10.8 MB'],
    [256e6, '256 MB'],
    [7e15, '7000 TB'],
  ])('%d bytes are %s', (value, text) => {
    expect(bytes(value)).toBe(text)
  })

  it('has thousands, ratios and shares', () => {
    expect([count(27_028), times(1.926), percent(0.974)]).toEqual(['27,028', '1.93×', '97 %'])
  })
})

describe('a table', () => {
  it('sets numbers to the right and texts to the left', () => {
    const lines = table(
      ['way', 'time'],
      [
        ['merge', '1.2 ms'],
        ['by index', '138 ms'],
        ['1867 Johnson', ''],
      ],
    )
    expect(
      stripVTControlCharacters(lines)
        .split('\n')
        .map((line) => line.trimEnd()),
    ).toEqual([' way             time', ' merge         1.2 ms', ' by index      138 ms', ' 1867 Johnson'])
  })
})
