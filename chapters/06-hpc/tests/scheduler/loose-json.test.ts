import { describe, expect, it } from 'vitest'
import { parseLoosely } from '../../src/scheduler/loose-json.ts'

describe('parseLoosely', () => {
  it('reads JSON as it is', () => {
    const value = { a: [1, -2.5e3, true, false, null, 'x\n"\\'], b: {} }
    expect(parseLoosely(JSON.stringify(value))).toEqual(value)
  })

  it('takes what is not JSON for text, and leaves all else in the document as it is', () => {
    const text = String.raw`{"a": 005, "b": [1, -0.5, 1e9, true, null], "c": "a\,b\'c\n\u00e9\\", "d": nan, "e": 12ab, "f": 0x1F}`
    expect(parseLoosely(text)).toEqual({
      a: '005',
      b: [1, -0.5, 1e9, true, null],
      c: `${String.raw`a\,b\'c`}\né\\`,
      d: 'nan',
      e: '12ab',
      f: '0x1F',
    })
    expect(parseLoosely('{"a": "line\n\tline\u0085\u001b"}')).toEqual({ a: 'line\n\tline\u0085\u001b' })
  })

  it.each(['', '{', '{"a": "b"c"}', '{"a" 1}'])('refuses %j', (text) => {
    expect(() => parseLoosely(text)).toThrow(SyntaxError)
  })
})
