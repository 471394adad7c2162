/** What every example shows to a reader, each once in a process that must end well and leave nothing behind. */
import { dirname } from 'node:path'
import { fileURLToPath } from 'node:url'
import { runExample } from '@repo/common/testing/testing'
import { describe, expect, it } from 'vitest'

const chapter = dirname(fileURLToPath(new URL('.', import.meta.url)))

/** What an example prints for a reader, in a process that ends well and leaves nothing behind. */
async function shownBy(name: string, ...args: string[]): Promise<string> {
  const run = await runExample(chapter, name, ['--quick', ...args])
  expect(run, run.stderr).toMatchObject({ code: 0, signal: null })
  expect(await run.leftBehind()).toEqual([])
  return run.stdout
}

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

  it('iterators, and coroutines', async () => {
    expect(await shownBy('iterators')).toContain('made 101')
    expect(await shownBy('coroutines')).toMatch(/next\(2\) → 0 {3}\(2 is lost\)/)
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
    expect(shown).toContain('Counting 1,794,353 words')
    for (const way of ['at once', 'in slices of 5 ms', 'on a thread'])
      expect(shown).toMatch(new RegExp(`^ ${way} +`, 'm'))
  })

  it('three servers, and the connections of one', async () => {
    // A wrong answer would have ended the example.
    const shown = await shownBy('server', '--seconds', '0.1', '--connections', '500')
    for (const name of ['one at a time', 'one blocked thread', 'asynchronous']) {
      expect(shown).toMatch(new RegExp(`^ ${name} +[1-9][\\d,]* +`, 'm'))
    }
    expect(shown).toContain('500 connections to one asynchronous server')
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

  it('how one signal ends every layer, and that nothing is left running', async () => {
    const shown = await shownBy('cancellation', '--tasks', '7')
    expect(shown.match(/ AbortError/g)?.length).toBe(8)
    expect(shown.match(/The operation was aborted due to timeout/g)?.length).toBe(2)
    expect(shown.match(/the caller has lost interest/g)?.length).toBe(2)
    expect(shown).toContain('Promise.all fails with "this one fails"; the server is still busy with 7 requests.')
    expect(shown).toContain('A task group fails with "this one fails"; the server is busy with 0 (')
    const [, before, after] = /at the beginning: (.*)\n +at the end: +(.*)\n/.exec(shown) ?? []
    expect(before).toMatch(/ProcessWrap/)
    expect(after).toBe(before)
  })
})
