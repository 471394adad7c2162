/**
 * A pattern and how to search for it: JavaScript's regular expressions, line by line, with the same count as
 * `grep -o PATTERN | wc -l`.
 */
import { type AST, RegExpParser, visitRegExpAST } from '@eslint-community/regexpp'

/** What a program needs to search for a pattern. It can be sent between processes. */
export interface Search {
  pattern: string
  ignoreCase: boolean
  /** Finds the pattern in one line. `.` is any character of a line, even `\r`. */
  source: string
  flags: string
  /** The pattern is a plain text: its bytes can be searched for among bytes. */
  literal: boolean
  /** It can match no characters at all, as `x*` does. */
  mayBeEmpty: boolean
  /** No match can reach beyond the end of a line: many lines can be searched at once. */
  withinLines: boolean
  /** It can only match ASCII, one byte per character: UTF-8 need not be decoded. */
  ascii: boolean
  /** A text that is part of every match: lines without it can be skipped. Empty if none is known. */
  required: string
}

export interface Count {
  /** Matches that do not overlap, as `grep -o | wc -l` counts them. */
  occurrences: number
  /** Lines with a match, as `grep -c` counts them. */
  lines: number
}

/** How to ask the system's grep for the same, or why that is not possible. */
export type GrepCommand = { args: string[]; locale: 'C' | 'C.UTF-8' } | { leftOut: string }

/** A pattern cannot be searched for; the message says what is accepted. */
export class PatternError extends Error {
  override name = 'PatternError'
}

/**
 * Reads a pattern: a JavaScript regular expression under the strict rules of the `u` flag.
 *
 * @throws a PatternError if it is empty, has a line break, or is not a regular expression
 */
export function searchFor(pattern: string, ignoreCase = false): Search {
  if (pattern === '') throw new PatternError('a word or a regular expression of at least one character')
  if (/[\n\r]/.test(pattern))
    throw new PatternError('a regular expression without line breaks: each line is searched by itself')
  const i = ignoreCase ? 'i' : ''
  try {
    new RegExp(pattern, `gsu${i}`)
  } catch (error) {
    const reason = (error as Error).message.split(': ').at(-1)
    throw new PatternError(`a regular expression as JavaScript reads it (this one: ${reason})`)
  }
  const { ascii, withinLines, mayBeEmpty, required } = traitsOf(pattern)
  return {
    pattern,
    ignoreCase,
    source: pattern,
    ascii,
    withinLines,
    mayBeEmpty,
    required: ignoreCase ? '' : required,
    // With `u`, ignoring the case would make K equal to the kelvin sign too. Without it, only A to Z have a case here.
    flags: ascii ? `g${i}` : `gsu${i}`,
    literal: isPlainText(pattern) && !ignoreCase,
  }
}

/**
 * A function that counts the matches in a line and returns undefined without any match. Matches of no characters do not
 * count, as in `grep -o`, but they make the line a matching one, as in `grep -c`: then it returns 0.
 */
export function lineCounter({ source, flags, mayBeEmpty }: Search): (line: string) => number | undefined {
  const regExp = new RegExp(source, flags)
  if (mayBeEmpty) {
    return (line) => {
      const matches = [...line.matchAll(regExp)]
      return matches.length > 0 ? matches.filter(([match]) => match !== '').length : undefined
    }
  }
  return (line) => {
    let matches = 0
    // Each line starts at index 0, because `test` resets `lastIndex` when it finds no more matches.
    while (regExp.test(line)) matches++
    return matches || undefined
  }
}

/**
 * The arguments and the locale with which GNU grep counts the same. A plain text is searched with -F, a regular
 * expression with -P, whose rules are JavaScript's. (-E takes the longest of several alternatives, JavaScript the first
 * that fits.)
 */
export function grepCommand({ pattern, ignoreCase, ascii }: Search): GrepCommand {
  const i = ignoreCase ? ['-i'] : []
  // In the locale C every byte is a character, and only A to Z have a case. That is what an ASCII pattern means here.
  if (isPlainText(pattern) && (ascii || !ignoreCase)) return { args: ['-F', ...i], locale: 'C' }
  const different = differsInPcre(pattern, ascii)
  if (different) return { leftOut: `${different} means something else to grep, or nothing` }
  return { args: ['-P', ...i], locale: ascii ? 'C' : 'C.UTF-8' }
}

const isPlainText = (pattern: string) => !/[\\^$.*+?()[\]{}|]/.test(pattern)

const parse = (pattern: string) => new RegExpParser().parsePattern(pattern, 0, pattern.length, { unicode: true })

function traitsOf(pattern: string) {
  const ast = parse(pattern)
  let ascii = true
  let withinLines = true
  visitRegExpAST(ast, {
    onCharacterEnter({ value, raw }) {
      // `\u{61}` is an "a" only under the `u` flag, which is not set for ASCII.
      if (value > 127 || raw.startsWith('\\u')) ascii = false
      if (value === 10 || value === 13) withinLines = false
    },
    onCharacterClassRangeEnter({ min, max }) {
      if (min.value <= 13 && max.value >= 10) withinLines = false
    },
    onCharacterClassEnter({ negate }) {
      if (negate) ascii = withinLines = false
    },
    onCharacterSetEnter(set) {
      const narrow = (set.kind === 'digit' || set.kind === 'word') && !set.negate
      if (!narrow) ascii = withinLines = false
    },
    onAssertionEnter({ kind }) {
      // Under the `m` flag they would also match at `\r` and at U+2028.
      if (kind === 'start' || kind === 'end') withinLines = false
    },
  })
  const mayBeEmpty = shortest(ast) === 0
  return { ascii, withinLines: withinLines && !mayBeEmpty, mayBeEmpty, required: longestText(ast) }
}

/** The longest text in a pattern outside of groups, alternatives and quantifiers. */
function longestText({ alternatives: [only, ...others] }: AST.Pattern): string {
  if (!only || others.length > 0) return ''
  const texts = ['']
  for (const element of only.elements) {
    if (element.type === 'Character') texts.push(texts.pop() + String.fromCodePoint(element.value))
    else texts.push('')
  }
  return texts.reduce((longest, text) => (text.length > longest.length ? text : longest))
}

/** The least number of characters that a match has. */
function shortest(node: AST.Pattern | AST.Element): number {
  switch (node.type) {
    case 'Pattern':
    case 'Group':
    case 'CapturingGroup':
      return Math.min(
        ...node.alternatives.map(({ elements }) => elements.reduce((length, element) => length + shortest(element), 0)),
      )
    case 'Quantifier':
      return node.min * shortest(node.element)
    case 'Assertion':
    case 'Backreference':
      return 0
    default:
      return 1
  }
}

/** The first part of a pattern that grep's Perl regular expressions may read differently from JavaScript. */
function differsInPcre(pattern: string, ascii: boolean): string | undefined {
  const found: string[] = []
  visitRegExpAST(parse(pattern), {
    onBackreferenceEnter: ({ raw }) => void found.push(raw),
    onAssertionEnter({ kind, raw }) {
      // Whether é belongs to a word depends on grep's version.
      if (kind === 'lookbehind' || (kind === 'word' && !ascii)) found.push(raw)
    },
    onCharacterSetEnter({ kind, raw }) {
      if (kind === 'space' || kind === 'property' || (kind !== 'any' && !ascii)) found.push(raw)
    },
    onCharacterEnter({ raw }) {
      if (/^\\[a-zA-Z0-9]/.test(raw) && raw !== '\\t') found.push(raw)
    },
    onCharacterClassEnter({ elements, raw }) {
      if (elements.length === 0 || /\[[:.=]/.test(raw)) found.push(raw)
    },
    onQuantifierEnter({ element, max, raw }) {
      if (max > 1 && shortest(element) === 0) found.push(raw)
    },
  })
  return found[0]
}
