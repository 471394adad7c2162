/** What the other examples show to a reader, of which shorter tests check what they compute. */
import { describe, expect, it } from 'vitest'
import { shownBy } from './shown.ts'

describe('a reader is shown', () => {
  it('the ways to grep', async () => {
    const shown = await shownBy('grep', 'freedom', '--rounds', '1')
    for (const way of ['push coroutines', 'pull async generators', 'Node streams', 'bytes, not decoded']) {
      expect(shown).toMatch(new RegExp(`^ ${way} +[\\d.]+ m?s +\\d+ +\\d+ MB`, 'm'))
    }
    expect(shown).toContain('759 occurrences in 173 lines, the same by every way')
  })

  it('several patterns', async () => {
    const shown = await shownBy('mgrep', 'freedom', 'the')
    expect(shown).toMatch(/^ freedom +759 +173/m)
    expect(shown).toMatch(/^Picture: .*mgrep-over-time\.svg$/m)
  })

  it('pages, and their picture', async () => {
    const shown = await shownBy('fetch-many', '--latency', '10', '--timeout', '10000')
    for (const way of ['one after the other', 'blocking the thread', 'all at once', '8 at a time']) {
      expect(shown).toMatch(new RegExp(`^ ${way} .* 24 +24 `, 'm'))
    }
    expect(shown).toMatch(/^Picture: .*fetch-many\.svg$/m)
  })

  it('the order of callbacks, and what a computation does to the loop', async () => {
    const shown = await shownBy('event-loop', '--rounds', '1')
    expect(shown.match(/^ +\d+ .* the same {2,}\S/gm)?.length).toBe(13)
    expect(shown).toContain('Counting 1,789,020 words')
    for (const way of ['at once', 'in slices of 5 ms', 'on a thread'])
      expect(shown).toMatch(new RegExp(`^ ${way} +`, 'm'))
  })

  it('where a fast producer is made to wait', async () => {
    // Whatever is lost would have ended the example.
    const shown = await shownBy('backpressure', '--megabytes', '4', '--consume', '40')
    const rows = [...shown.matchAll(/^ ([\w ]+), (with|without) +[\d.]+ m?s +([\d.]+) (MB|kB) /gm)]
    expect(rows.length).toBe(6)
    for (const [, way, back, amount, unit] of rows) {
      const waiting = Number(amount) * (unit === 'MB' ? 1e6 : 1e3)
      // Room for four chunks of 256 KiB, and one that is consumed.
      if (back === 'without') expect(waiting, way).toBeGreaterThan(1.32e6)
      else expect(waiting, way).toBeLessThan(1.32e6)
    }
    expect(shown).toMatch(/^Picture: .*backpressure\.svg$/m)
  })

  it('three servers, and the connections of one', async () => {
    // A wrong answer would have ended the example.
    const shown = await shownBy('server', '--seconds', '0.1', '--connections', '500')
    for (const name of ['one at a time', 'one blocked thread', 'asynchronous']) {
      expect(shown).toMatch(new RegExp(`^ ${name} +[1-9][\\d,]* +`, 'm'))
    }
    expect(shown).toContain('500 connections to one asynchronous server')
  })
})
