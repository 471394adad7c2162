/** What examples show to a reader, each once in a process that must end well and leave nothing behind. */
import { describe, expect, it } from 'vitest'
import { shownBy } from './shown.ts'

describe('a reader is shown', () => {
  it('iterators, and coroutines', async () => {
    expect(await shownBy('iterators')).toContain('made 101')
    expect(await shownBy('coroutines')).toMatch(/next\(2\) → 0 {3}\(2 is lost\)/)
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
