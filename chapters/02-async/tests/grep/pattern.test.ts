import { spawnSync } from 'node:child_process'
import { describeReal } from '@repo/common/testing/vitest'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { grepCommand, lineCounter, PatternError, searchFor } from '../../src/grep/pattern.ts'
import { gnuGrep } from './gnu-grep.ts'

describe('searchFor', () => {
  it.each([
    ['', 'at least one character'],
    ['a\nb', 'without line breaks'],
    ['(', 'Unterminated group'],
    ['[b-a]', 'out of order'],
    ['*', 'Nothing to repeat'],
    ['\\q', 'Invalid escape'],
  ])('refuses %j', (pattern, why) => {
    expect(() => searchFor(pattern)).toThrow(PatternError)
    expect(() => searchFor(pattern)).toThrow(why)
  })

  it.each([
    ['war', { literal: true, ascii: true, withinLines: true, mayBeEmpty: false, flags: 'g' }],
    ['liberté', { literal: true, ascii: false, withinLines: true, flags: 'gsu' }],
    ['free(dom|ly)', { literal: false, ascii: true, withinLines: true }],
    ['\\bwar\\b', { ascii: true, withinLines: true }],
    ['[a-z]+\\d', { ascii: true, withinLines: true }],
    ['a.c', { ascii: false, withinLines: false }],
    ['[^a]', { ascii: false, withinLines: false }],
    ['\\s', { ascii: false, withinLines: false }],
    ['\\W', { ascii: false, withinLines: false }],
    ['\\p{L}', { ascii: false, withinLines: false }],
    ['[\\t-\\x20]', { ascii: true, withinLines: false }],
    ['^war', { ascii: true, withinLines: false }],
    ['x*', { ascii: true, withinLines: false, mayBeEmpty: true }],
    ['(a|b?)', { mayBeEmpty: true }],
    ['(?=a)', { mayBeEmpty: true }],
    ['(a|b?)c', { mayBeEmpty: false }],
    ['\\u0061', { ascii: false }],
  ])('knows what %j can match', (pattern, traits) => {
    expect(searchFor(pattern)).toMatchObject(traits)
  })

  it.each([
    ['free(dom|ly)', 'free'],
    ['the (united|several) states', ' states'],
    ['\\bunion\\b', 'union'],
    ['peace+ful', 'peac'],
    ['war|peace', ''],
    ['(war)+', ''],
    ['(?=war)x', 'x'],
    ['libert[éy]', 'libert'],
  ])('knows a text that is in every match of %j', (pattern, required) => {
    expect(searchFor(pattern).required).toBe(required)
    expect(searchFor(pattern, true).required).toBe('')
  })

  it('does not take a text for bytes when the case is ignored', () => {
    expect(searchFor('war', true)).toMatchObject({ literal: false, flags: 'gi' })
  })
})

describe('lineCounter', () => {
  it.each([
    ['war', 'no peace', undefined],
    ['aa', 'aaaaa', 2],
    ['a|ab', 'abab', 2],
    ['x*', 'axxb', 1],
    ['x*', '', 0],
    ['.', 'a😀\r', 3],
    ['$', 'a', 0],
    ['r$', 'war\r', undefined],
  ])('finds %j in %j', (pattern, line, matches) => {
    const matchesIn = lineCounter(searchFor(pattern))
    expect(matchesIn(line)).toBe(matches)
    expect(matchesIn(line)).toBe(matches)
  })

  it('ignores the case of A to Z only, for an ASCII pattern', () => {
    expect(lineCounter(searchFor('k', true))('kK\u212a')).toBe(2)
  })
})

describe('grepCommand', () => {
  it.each([
    ['war', false, { args: ['-F'], locale: 'C' }],
    ['war', true, { args: ['-F', '-i'], locale: 'C' }],
    ['é', false, { args: ['-F'], locale: 'C' }],
    ['é', true, { args: ['-P', '-i'], locale: 'C.UTF-8' }],
    ['free(dom|ly)', false, { args: ['-P'], locale: 'C' }],
    ['fre.', false, { args: ['-P'], locale: 'C.UTF-8' }],
  ])('asks for %j (ignoring the case: %j)', (pattern, ignoreCase, command) => {
    expect(grepCommand(searchFor(pattern, ignoreCase))).toEqual(command)
  })

  it.each(['(a)\\1', '(?<=a)b', '\\s', '\\p{L}', '\\bé', '\\v', '\\u0061', '[^]', '[[:alpha:]x', '(a?)*', '[]'])(
    'leaves out %j',
    (pattern) => expect(grepCommand(searchFor(pattern))).toHaveProperty('leftOut'),
  )
})

describeReal('the real grep', gnuGrep, () => {
  it('counts what the line counter counts', () => {
    // Alternatives, classes, repetitions and anchors over a small alphabet, so that there is much to find.
    const atom = fc.constantFrom('a', 'b', 'é', '.', '[ab]', '[^a]', 'A', '\\.')
    const repeated = fc.tuple(atom, fc.constantFrom('', '', '?', '*', '+', '{2}', '+?')).map((parts) => parts.join(''))
    const sequence = fc.array(repeated, { minLength: 1, maxLength: 3 }).map((parts) => parts.join(''))
    const pattern = fc.oneof(
      sequence,
      fc.tuple(sequence, sequence).map((sides) => sides.join('|')),
      fc.tuple(sequence, sequence, sequence).map(([before, one, other]) => `${before}(${one}|${other})`),
      sequence.map((inside) => `^${inside}`),
      sequence.map((inside) => `${inside}$`),
    )
    const line = fc.string({ unit: fc.constantFrom('a', 'b', 'é', 'A', '.', ' '), maxLength: 12 })
    // Many lines for each grep: a process costs more than a line.
    const lines = fc.array(line, { minLength: 1, maxLength: 60 })
    fc.assert(
      fc.property(pattern, lines, fc.boolean(), (source, lines, ignoreCase) => {
        const search = searchFor(source, ignoreCase)
        const command = grepCommand(search)
        if ('leftOut' in command) return
        const grep = (...args: string[]) =>
          spawnSync('grep', ['-a', '-n', ...args, ...command.args, '-e', source], {
            input: lines.map((line) => `${line}\n`).join(''),
            env: { ...process.env, LC_ALL: command.locale },
            encoding: 'utf8',
          })
            .stdout.split('\n')
            .slice(0, -1)
            .map((found) => Number(found.split(':', 1)[0]))
        const matchesIn = lineCounter(search)
        const counted = lines.map((line) => matchesIn(line))
        // The number of the line, once for each match in it; and once for each line with a match.
        expect(counted.flatMap((matches = 0, at) => new Array(matches).fill(at + 1))).toEqual(grep('-o'))
        expect(counted.flatMap((matches, at) => (matches === undefined ? [] : [at + 1]))).toEqual(grep())
      }),
      { numRuns: 25 },
    )
  })
})
