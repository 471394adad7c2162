/** Progress when standard error is not a terminal, with a simulated clock. */
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { progress } from '../../src/output/progress.ts'

const { isTTY, columns } = process.stderr
let written: string[]

beforeEach(() => {
  written = []
  vi.useFakeTimers({ toFake: ['performance', 'setInterval'] })
  vi.spyOn(process.stderr, 'write').mockImplementation((text) => written.push(String(text)) > 0)
})
afterEach(() => {
  vi.useRealTimers()
  vi.restoreAllMocks()
  Object.assign(process.stderr, { isTTY, columns })
})

describe.each([
  ['a file or a pipe', { isTTY: false, columns: undefined }],
  ['a terminal without columns', { isTTY: true, columns: 0 }],
])('progress on %s', (_, stderr) => {
  beforeEach(() => {
    Object.assign(process.stderr, stderr)
  })

  it('is a plain line every two seconds, without control codes', () => {
    {
      using bar = progress('comparing', 2_000)
      for (let done = 1; done <= 2_000; done++) {
        vi.advanceTimersByTime(3)
        bar.update(done)
      }
    }
    expect(written).toEqual([
      'comparing ███████░░░░░░░░░░░░░ 33 % (667 of 2,000)\n',
      'comparing █████████████░░░░░░░ 66 % (1,334 of 2,000)\n',
    ])
  })

  it('shows the latest label, and only that without a total', () => {
    using bar = progress('starting')
    vi.advanceTimersByTime(2_000)
    bar.update(0, 'starting the second', 'for terminals only')
    expect(written).toEqual(['starting the second\n'])
  })

  it('is not shown for shorter work', () => {
    using bar = progress('comparing', 1)
    vi.advanceTimersByTime(1_999)
    bar.update(1)
    expect(written).toEqual([])
  })
})
