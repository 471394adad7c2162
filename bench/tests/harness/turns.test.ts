/** Contenders take turns; one that crashes, hangs or prints nonsense becomes its row, and the others go on. */
import { setTimeout as delay } from 'node:timers/promises'
import { describe, expect, it } from 'vitest'
import { against } from '../../src/harness/report.ts'
import { newRow, type Suite } from '../../src/harness/suite.ts'
import { attempt, type Participant, ratiosOf, takeTurns } from '../../src/harness/turns.ts'

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
    expect(participant.row.failed).toBe('interrupted')
  })
})

describe('an attempt', () => {
  const trying = async (action: (stop: AbortSignal) => Promise<unknown>, limitMs = 60_000) => {
    const row = newRow('peer', 'peer')
    return { answer: await attempt(row, { limitMs, signal }, action), row }
  }
  const untilAborted = (stop: AbortSignal) => delay(600_000, undefined, { signal: stop })

  it('returns what was done, and of what fails the line that says why', async () => {
    expect(await trying(async () => 12)).toMatchObject({ answer: 12, row: { id: 'peer' } })
    const { answer, row } = await trying(async () => {
      throw new Error('Command failed: peer\nTraceback\nImportError: no module\n')
    })
    expect([answer, row.failed]).toEqual([undefined, 'ImportError: no module'])
    expect(await attempt(row, { limitMs: 1, signal }, async () => 'asked again')).toBeUndefined()
  })

  it('ends what takes too long, and waits until that has cleaned up', async () => {
    let isClean = false
    const { row } = await trying(async (stop) => {
      await untilAborted(stop).catch(() => {})
      await delay(50)
      isClean = true
    }, 20)
    expect(row.failed).toBe('not done within 0.02 s')
    expect(isClean).toBe(true)
  })
})

it('reports a copy that was slowed down on purpose as slower', async () => {
  // Processor time: on a busy machine, time passes that the copy did not work. Of this thread: others collect garbage.
  const usedMs = () => {
    // Node 22 knows only that of the process.
    const { user, system } = process.threadCpuUsage?.() ?? process.cpuUsage()
    return (user + system) / 1000
  }
  const working = (id: string, ms: number): Participant => ({
    row: newRow(id, id),
    async round() {
      const begin = usedMs()
      while (usedMs() - begin < ms);
      return { ms: usedMs() - begin }
    },
  })
  const measure = async (copyMs: number) => {
    const participants = [working('original', 5), working('copy', copyMs)]
    await takeTurns(participants, { ...turns, rounds: 7 })
    return participants.map(({ row }) => row)
  }
  const suite: Suite = {
    metrics: { ms: { label: 'time', better: 'less' } },
    contenders: { original: { label: 'original' }, copy: { label: 'copy' } },
    measure: async () => {},
    tables: () => [],
    pictures: () => ({}),
  }
  // Several times as long, so that no disturbance of the machine hides it.
  const table = against(suite, await measure(5), await measure(40), 'before')
  expect(table.rows).toEqual([['copy', 'time', expect.stringMatching(/×$/), expect.any(String), 'slower']])
  expect(table.notes?.[0]).toMatch(/^1 of 1 ratios differ beyond noise/)
})
