import fc from 'fast-check'
import { describe, expect, it, vi } from 'vitest'
import { faultsFrom, StateRecord } from '../../src/servers/faults.ts'

describe('a schedule of faults', () => {
  const schedule = (seed: number) =>
    faultsFrom(
      seed,
      ({ whole, oneOf }) =>
        Array.from({ length: 20 }, () => ({ after: whole(10, 90), target: oneOf(['worker 1', 'worker 2']) })),
      ({ after }) => after,
    )

  it('follows from the seed and is in order', () => {
    fc.assert(
      fc.property(fc.integer(), (seed) => {
        const faults = schedule(seed)
        expect(schedule(seed)).toEqual(faults)
        expect(faults.map(({ after }) => after)).toEqual(faults.map(({ after }) => after).toSorted((a, b) => a - b))
      }),
    )
    expect(schedule(1)).not.toEqual(schedule(2))
  })
})

describe('a record of states', () => {
  it('has a row for each process, with the states that have ended', () => {
    let now = 0
    const record = new StateRecord<'up' | 'cut off'>(() => now)
    record.begin('worker 2', 'up')
    record.begin('worker 1', 'up')
    now = 5
    {
      using _cut = record.begin('worker 1', 'cut off')
      now = 8
    }
    record.end('worker 2', 'up')
    record.end('worker 2', 'cut off')
    now = 9
    record.begin('worker 2', 'up')
    expect(record.rows()).toEqual([
      { name: 'worker 1', spans: [{ kind: 'cut off', from: 5, to: 8 }] },
      { name: 'worker 2', spans: [{ kind: 'up', from: 0, to: 8 }] },
    ])
    now = 12
    record.endAll()
    expect(record.rows()).toEqual([
      {
        name: 'worker 1',
        spans: [
          { kind: 'cut off', from: 5, to: 8 },
          { kind: 'up', from: 0, to: 12 },
        ],
      },
      {
        name: 'worker 2',
        spans: [
          { kind: 'up', from: 0, to: 8 },
          { kind: 'up', from: 9, to: 12 },
        ],
      },
    ])
  })

  it('restarts a state that begins twice', () => {
    let now = 0
    const record = new StateRecord<'up'>(() => now)
    record.begin('queue', 'up')
    now = 3
    record.begin('queue', 'up')
    now = 4
    record.endAll()
    expect(record.rows()).toEqual([{ name: 'queue', spans: [{ kind: 'up', from: 3, to: 4 }] }])
  })

  it('has a clock of its own that starts at 0', () => {
    const clock = vi.spyOn(performance, 'now').mockReturnValueOnce(5_000).mockReturnValueOnce(5_020)
    const record = new StateRecord<'up'>()
    expect(record.now()).toBe(20)
    clock.mockRestore()
  })
})
