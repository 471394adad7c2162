/** Contenders take turns; one that crashes, hangs or prints nonsense becomes its row, and the others go on. */
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { temporaryFolder } from '@repo/common/process/temporary'
import { leavesNothingRunning } from '@repo/common/testing/vitest'
import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import { against } from '../../src/harness/report.ts'
import { newRow, type Suite } from '../../src/harness/suite.ts'
import { askProgram, attempt, type Participant, ratiosOf, takeTurns } from '../../src/harness/turns.ts'

const { signal } = new AbortController()
const turns = { metrics: ['ms'], rounds: 3, limitMs: 10_000, signal }
const fixed = (id: string, ms: (round: number) => number): Participant => {
  let round = 0
  return { row: newRow(id, id), round: async () => ({ ms: ms(round++) }) }
}

describe('taking turns', () => {
  it('measures A B A B, without the first round, and each value beside that of the reference', async () => {
    const order: string[] = []
    const noting = (id: string, ms: (round: number) => number) => {
      const { row, round } = fixed(id, ms)
      return {
        row,
        round: (stop: AbortSignal) => {
          order.push(id)
          return round(stop)
        },
      }
    }
    const shares: number[] = []
    const [a, b] = [noting('a', (round) => 10 + round), noting('b', (round) => 2 * (10 + round))]
    await takeTurns([a, b], { ...turns, onProgress: (share) => shares.push(share) })
    expect(order.join('')).toBe('abababab')
    expect(b.row).toMatchObject({ samples: { ms: [22, 24, 26] }, beside: { ms: [11, 12, 13] } })
    expect(ratiosOf(b.row, 'ms')).toEqual([2, 2, 2])
    expect(ratiosOf(a.row, 'ms')).toEqual([1, 1, 1])
    expect(shares.at(-1)).toBe(1)
  })

  it('goes on without one that fails, and keeps what it had measured', async () => {
    const failing = fixed('failing', (round) => {
      if (round === 2) throw new Error('Command failed\nTraceback\nValueError: no more\n')
      return 5
    })
    const good = fixed('good', () => 1)
    await takeTurns([good, failing], turns)
    expect(failing.row).toMatchObject({ failed: 'ValueError: no more', samples: { ms: [5] } })
    expect(good.row).toMatchObject({ samples: { ms: [1, 1, 1] } })
    expect(good.row.failed).toBeUndefined()
  })

  it('measures the others when the reference fails, but then there are no ratios', async () => {
    const reference = fixed('reference', (round) => {
      if (round === 2) throw new Error('gone')
      return 1
    })
    const other = fixed('other', () => 2)
    await takeTurns([reference, other], turns)
    expect(other.row.samples.ms).toEqual([2, 2, 2])
    expect(ratiosOf(other.row, 'ms')).toEqual([])
  })

  it.each([0, -1, Number.NaN, Infinity, '12', undefined])('takes %s for a failure', async (ms) => {
    const bad = fixed('bad', () => ms as number)
    await takeTurns([bad], turns)
    expect(bad.row.failed).toMatch(/^ms: received .*; accepts a number above 0$/)
  })

  it('ends with the reason of its signal', async () => {
    const stop = new AbortController()
    const participant = fixed('a', () => {
      stop.abort(new Error('Ctrl-C'))
      return 1
    })
    await expect(takeTurns([participant], { ...turns, signal: stop.signal })).rejects.toThrow('Ctrl-C')
    expect(participant.row.failed).toBeUndefined()
  })
})

// Windows does not run a shell script as a program.
describe.skipIf(process.platform === 'win32')('a peer that', () => {
  leavesNothingRunning()

  const ask = async (script: string, limitMs: number) => {
    await using folder = await temporaryFolder()
    const program = join(folder.path, 'peer')
    await writeFile(program, `#!/bin/sh\n${script}\n`, { mode: 0o755 })
    const row = newRow('peer', 'peer')
    const answer = await attempt(row, { limitMs, signal }, (stop) =>
      askProgram([program], z.object({ ms: z.number() }), { signal: stop }),
    )
    return { answer, failed: row.failed }
  }

  it.each([
    ['answers', 'echo warming up; echo \'{"ms": 12}\'', { answer: { ms: 12 }, failed: undefined }],
    ['crashes', 'echo "ImportError: no module" >&2; exit 3', { failed: 'ImportError: no module' }],
    ['is killed', 'kill -9 $$', { failed: expect.stringMatching(/^Command failed: /) }],
    ['prints nonsense', 'echo 12 ms', { failed: 'it printed "12 ms", which is not what was asked for' }],
    ['answers something else', 'echo \'{"ms": "12"}\'', { failed: expect.stringMatching(/^it printed "{/) }],
    ['prints nothing', 'exit 0', { failed: 'it printed "", which is not what was asked for' }],
  ])('%s', async (_, script, expected) => {
    expect(await ask(script, 60_000)).toMatchObject(expected)
  })

  it('hangs is ended', async () => {
    expect(await ask('exec sleep 600', 300)).toEqual({ answer: undefined, failed: 'not done within 0.3 s' })
  })

  it('is not there', async () => {
    const row = newRow('peer', 'peer')
    await attempt(row, { limitMs: 60_000, signal }, (stop) => askProgram(['./no-such-peer'], z.any(), { signal: stop }))
    expect(row.failed).toMatch(/no-such-peer ENOENT/)
    expect(await attempt(row, { limitMs: 1, signal }, async () => 'asked again')).toBeUndefined()
  })
})

it('reports a copy that was slowed down on purpose as slower', async () => {
  const spin = (ms: number) => {
    for (const end = performance.now() + ms; performance.now() < end; ) {}
  }
  const working = (id: string, ms: number): Participant => ({
    row: newRow(id, id),
    async round() {
      const begin = performance.now()
      spin(ms)
      return { ms: performance.now() - begin }
    },
  })
  const measure = async (copyMs: number) => {
    const participants = [working('original', 2), working('copy', copyMs)]
    await takeTurns(participants, { ...turns, rounds: 7 })
    return participants.map(({ row }) => row)
  }
  const suite: Suite = {
    metrics: { ms: { label: 'time', better: 'less' } },
    contenders: ['original', 'copy'],
    measure: async () => [],
    tables: () => [],
    pictures: () => ({}),
  }
  // Several times as long, so that no disturbance of the machine hides it.
  const table = against(suite, await measure(2), await measure(16), 'before')
  expect(table.rows).toEqual([['copy', 'time', expect.stringMatching(/×$/), expect.any(String), 'slower']])
  expect(table.notes?.[0]).toMatch(/^1 of 1 ratios differ beyond noise/)
})
