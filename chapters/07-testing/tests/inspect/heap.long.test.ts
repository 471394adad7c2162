/** Leaks of what has no class, and a snapshot of a heap that is very large. */
import { describe, expect, it } from 'vitest'
import { SnapshotReader } from '../../src/inspect/snapshot.ts'
import { leakOf } from './leak.ts'

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

describe('a leak', () => {
  it('of plain objects is known by their properties', async () => {
    const { leak } = await leakOf(`
      const audit = new Map()
      let at = 0
      setInterval(() => { audit.set(++at, { order: 'order-' + at, cents: at, note: 'ok' }) }, 10)
    `)
    expect(leak).toMatchObject({ name: '{order, cents, note}', kept: ['audit: Map', '{order, cents, note}'] })
  })

  it('of listeners is known by the function', async () => {
    const { leak } = await leakOf(`
      import { EventEmitter } from 'node:events'
      const news = new EventEmitter().setMaxListeners(0)
      function subscribe() { news.on('news', function onNews() { return news }) }
      setInterval(subscribe, 10)
    `)
    expect(leak).toMatchObject({ name: 'onNews()' })
    expect(leak?.kept.join(' ')).toMatch(/news: /)
  })
})
