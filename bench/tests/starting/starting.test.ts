/** What a reader waits for is measured as the reader starts it. */
import { leavesNothingRunning } from '@repo/common/testing/vitest'
import { expect, it } from 'vitest'
import { newRow } from '../../src/harness/suite.ts'
import { starting } from '../../src/starting/suite.ts'

leavesNothingRunning()

it('knows all chapters, measures one beside Node alone, and makes a row of one that is missing', async () => {
  expect(Object.keys(starting.contenders)).toEqual(['node', ...Array.from({ length: 8 }, () => expect.any(String))])
  const rows = ['node', '01-intro', '09-nothing'].map((id) => newRow(id, id))
  const { signal } = new AbortController()
  await starting.measure(rows, { quick: true, signal, onProgress: () => {} })
  expect(rows.map(({ failed }) => failed)).toEqual([undefined, undefined, expect.stringContaining('ENOENT')])
  for (const row of rows.slice(0, 2)) {
    expect(row.samples).toEqual({ helpMs: [expect.any(Number)], firstLineMs: [expect.any(Number)] })
  }
  expect(starting.tables(rows)[0]?.rows.map(([label]) => label)).toEqual(['node', '01-intro'])
  expect(starting.pictures(rows).starting).toContain('01-intro')
})
