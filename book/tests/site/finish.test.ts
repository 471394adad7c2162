import { describe, expect, it } from 'vitest'
import { relativeAddresses } from '../../src/site/finish.ts'

describe('addresses', () => {
  const html =
    '<link rel="x" href="/code.css"><a href="/">a</a><a href="/b.html#c">/b</a><img alt="/" src="/pictures/p.svg"><a href="//host/x">d</a><a href="#e">e</a>'

  it('are relative to a page at the top', () => {
    expect(relativeAddresses(html, 'index.html')).toBe(
      '<link rel="x" href="code.css"><a href="index.html">a</a><a href="b.html#c">/b</a><img alt="/" src="pictures/p.svg"><a href="//host/x">d</a><a href="#e">e</a>',
    )
  })

  it('are relative to a page in a folder', () => {
    expect(relativeAddresses('<a title="x" href="/b.html#c"><a href="/source/x/y.html">', 'source/x/z.html')).toBe(
      '<a title="x" href="../../b.html#c"><a href="y.html">',
    )
  })
})
