import { WriteStream } from 'node:tty'
import { stripVTControlCharacters } from 'node:util'
import { afterEach, describe, expect, it, vi } from 'vitest'
import {
  bold,
  bytes,
  count,
  duration,
  howMany,
  milliseconds,
  percent,
  table,
  times,
} from '../../src/output/terminal.ts'

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

  it.each([
    [0, 'retry', '0 retries'],
    [1, 'core', '1 core'],
    [2, 'day', '2 days'],
    [2, 'batch', '2 batches'],
    [1_000, 'worker process', '1,000 worker processes'],
  ])('%d of %s is %s', (value, thing, text) => {
    expect(howMany(value, thing)).toBe(text)
  })

  it('are also counts, ratios and shares', () => {
    expect([count(27_028), times(1.926), percent(0.974)]).toEqual(['27,028', '1.93×', '97 %'])
  })
})

describe('a table', () => {
  it('aligns numbers to the right and texts to the left', () => {
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

it.each([
  [2.14, '2.1 ns'],
  [35_400, '35 µs'],
  [1e8, '100 ms'],
  [2.5e9, '2.5 s'],
])('shows %d ns as %s', (ns, text) => {
  expect(duration(ns)).toBe(text)
})

describe('a style', () => {
  const { isTTY, getColorDepth } = process.stdout
  afterEach(() => {
    vi.unstubAllEnvs()
    Object.assign(process.stdout, { isTTY, getColorDepth })
  })

  it.each([
    ['a terminal', true, undefined, '\u001b[1mtext\u001b[22m'],
    ['a terminal with NO_COLOR', true, '1', 'text'],
    ['a pipe', false, undefined, 'text'],
  ])('is written only for a reader who sees it: on %s', (_, terminal, noColor, shown) => {
    const environment = {
      TERM: 'xterm-256color',
      // Node uses no colours in unknown CI services.
      CI: undefined,
      NO_COLOR: noColor,
      FORCE_COLOR: undefined,
      NODE_DISABLE_COLORS: undefined,
    }
    for (const [name, value] of Object.entries(environment)) vi.stubEnv(name, value)
    Object.assign(process.stdout, { isTTY: terminal, getColorDepth: WriteStream.prototype.getColorDepth })
    expect(bold('text')).toBe(shown)
  })
})
