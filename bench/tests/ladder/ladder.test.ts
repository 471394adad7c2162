/** The rungs of the ladder do the task that they are timed with. */
import { describe, expect, it } from 'vitest'
import { takingPart } from '../../src/harness/report.ts'
import { newRow } from '../../src/harness/suite.ts'
import { type Rung, rungs, startRung } from '../../src/ladder/rungs.ts'
import { ladder } from '../../src/ladder/suite.ts'

const { signal } = new AbortController()

async function measured(ids: string[]) {
  const rows = ids.map((id) => newRow(id, rungs[id]?.label ?? ''))
  await ladder.measure(rows, { quick: true, signal, onProgress: () => {} })
  return rows
}

describe('each rung without a server', () => {
  it.each(['call', 'microtask', 'ring', 'message', 'batch', 'pool', 'child', 'remote', 'spawn'])(
    '%s gives the right results, one by one and together',
    async (id) => {
      await using rung = await startRung(rungs[id] as Rung, signal)
      await rung.alone(3)
      await rung.together(id === 'spawn' ? 3 : 2_500)
    },
  )
})

it('measures rungs beside a call, and says from which length of a task each pays', async () => {
  const only = ['call', 'message', 'batch']
  const rows = await measured(only)
  expect(rows.map(({ id, failed }) => [id, failed])).toEqual(only.map((id) => [id, undefined]))
  for (const { samples, figures } of rows) {
    expect(samples.togetherNs).toHaveLength(5)
    // On one core handing over never pays, and a call hands over nothing.
    expect(figures.paysFromNs === null || Number(figures.paysFromNs) > 0).toBe(true)
  }
  const [table] = ladder.tables(rows)
  expect(table?.rows.map(([name]) => name)).toEqual(['a call', 'a message to a thread', '1,000 tasks in a message'])
  expect(table?.rows[0]?.at(-1)).toBe('never')
  expect(ladder.pictures(rows).ladder).toContain('1,000 tasks in a message')
})

it('is a row that says why where a rung cannot be had', async () => {
  const start = rungs.pool?.start
  try {
    Object.assign(rungs.pool ?? {}, {
      start: async () => {
        throw new Error('no threads left')
      },
    })
    const rows = await measured(['call', 'pool'])
    expect(rows.map(({ id, failed }) => [id, failed])).toEqual([
      ['call', undefined],
      ['pool', 'no threads left'],
    ])
    expect(ladder.tables(rows)[0]?.rows.map(([name]) => name)).toEqual(['a call'])
    expect(takingPart(rows).at(-1)?.rows).toEqual([['a pool of threads (Piscina)', 'no threads left']])
  } finally {
    Object.assign(rungs.pool ?? {}, { start })
  }
})
