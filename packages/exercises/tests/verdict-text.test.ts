import { describe, expect, it } from 'vitest'
import type { Step } from '../src/exercise.ts'
import { verdictText } from '../src/verdict-text.ts'

const file = new URL('./verdict-text.test.ts', import.meta.url).pathname
const verdict = { exercise: 'one', file, passed: false, ms: 12, printed: [] }

describe('a verdict', () => {
  it('is one line if the solution holds', () => {
    expect(verdictText({ ...verdict, passed: true })).toBe('✓ one holds (12.0 ms)')
  })

  it('shows who did what, in the line of the code, and why that is wrong', () => {
    const history: Step[] = [
      { who: 'a', what: 'reads 0', line: 1 },
      { who: 'b', what: 'reads 0', line: 1 },
      { who: 'b', what: 'sends 1', line: 2, to: 'c' },
    ]
    const text = verdictText({
      ...verdict,
      fault: { says: 'It is lost.', expected: '2', received: '1', history, why: 'Both read.' },
    })
    expect(text.split('\n')).toEqual([
      '✗ one: It is lost.',
      '',
      '  expected  2',
      '  received  1',
      '',
      '        a        b              c',
      '   1:1  reads 0  ·              ·',
      '   2:1  ·        reads 0        ·',
      '   3:2  ·        sends 1 ──▶ c  ·',
      '',
      expect.stringMatching(/verdict-text\.test\.ts:2 {2}import type \{ Step \} from/),
      '',
      '  Both read.',
    ])
  })

  it('fits a screen, whatever is in it', () => {
    const long = 'x'.repeat(5_000)
    const history = Array.from({ length: 50 }, (_, at): Step => ({ who: `actor ${at % 5}`, what: long, line: 100_000 }))
    const text = verdictText(
      {
        ...verdict,
        fault: { says: long, expected: long, received: long, history, why: 'word '.repeat(60) },
        printed: Array(20).fill(long),
      },
      80,
    )
    const lines = text.split('\n')
    expect(lines.length).toBeLessThanOrEqual(50)
    // What went wrong may take two lines of the terminal.
    for (const line of lines.filter((each) => !each.startsWith('✗'))) expect(line.length).toBeLessThanOrEqual(90)
  })

  it('lets nothing move the cursor', () => {
    const evil = '\u001b[2J\u001b]0;title\u0007a\rb\u0000'
    const history: Step[] = [{ who: 'a', what: evil }]
    const text = verdictText({
      ...verdict,
      fault: { says: evil, expected: evil, received: evil, why: evil, history },
      printed: [evil],
    })
    expect(text).not.toMatch(/[^\P{Cc}\n]/u)
  })
})
