import { expect, it } from 'vitest'
import { SnapshotReader } from '../../src/inspect/snapshot.ts'

it('a snapshot longer than the longest string is read', () => {
  const reader = new SnapshotReader()
  reader.push('{"snapshot":{"meta":{}},"nodes":[')
  const piece = '12345,'.repeat(200_000)
  let length = 0
  for (; length < 600e6; length += piece.length) reader.push(piece)
  reader.push('7],"edges":[],"strings":["end"]}')
  const { nodes, strings } = reader.end()
  expect(nodes.length).toBe(length / 6 + 1)
  expect([nodes[0], nodes[nodes.length - 2], nodes[nodes.length - 1]]).toEqual([12_345, 12_345, 7])
  expect(strings).toEqual(['end'])
})
