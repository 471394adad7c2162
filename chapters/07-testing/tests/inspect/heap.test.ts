/** What heap snapshots say about programs that leak, and about those that only look like it. */
import { spawn } from 'node:child_process'
import { text } from 'node:stream/consumers'
import { describe, expect, it } from 'vitest'
import { SnapshotReader } from '../../src/inspect/snapshot.ts'
import { leakOf } from './leak.ts'

describe('a leak', () => {
  it('is known by its class, whatever that is called, and by what keeps the new ones', async () => {
    const { leak, grown } = await leakOf(`
      class SettlementRecord { constructor(id) { this.id = id } }
      // Found first, and never larger.
      const active = new Map(Array.from({ length: 500 }, (_, id) => [id, new SettlementRecord(id)]))
      const settled = { history: [] }
      setInterval(() => { settled.history.push(new SettlementRecord(active.size)) }, 10)
    `)
    expect(leak).toMatchObject({ name: 'SettlementRecord', kept: ['history: Array', 'SettlementRecord'] })
    expect(leak?.count).toBeGreaterThan(1)
    expect(grown[0]).toMatchObject({ name: 'SettlementRecord' })
  })

  it('is neither a pool that breathes nor a cache that has become warm', async () => {
    const source = `
      class Connection {}
      class Page {}
      let pool = []
      const cache = new Map()
      setInterval(() => { pool = pool.length < 50 ? [...pool, ...Array.from({ length: 10 }, () => new Connection())] : [] }, 20)
      setTimeout(() => { for (let at = 0; at < 100; at++) cache.set(at, new Page()) }, 100)
    `
    const { leak } = await leakOf(source, { mustFind: false })
    expect(leak).toBe(undefined)
  })
})

describe('a heap snapshot', () => {
  it('is read while it arrives, in pieces of any size, as JSON.parse reads it', async () => {
    const program =
      "const kept = ['\\\\', '\"', '\\u2028\\ud83d\\ude00', '[{]}', ''].map((text) => ({ [text + 'key']: text + Math.random() }))"
    const child = spawn(process.execPath, [
      '-e',
      `${program}; v8.getHeapSnapshot().pipe(process.stdout); setTimeout(() => kept, 1e6).unref()`,
    ])
    const whole = await text(child.stdout)
    const expected = JSON.parse(whole)
    for (const size of [7, 4_093, whole.length]) {
      const reader = new SnapshotReader()
      for (let at = 0; at < whole.length; at += size) reader.push(whole.slice(at, at + size))
      const { snapshot, nodes, edges, locations, strings } = reader.end()
      expect(snapshot).toEqual(expected.snapshot)
      expect(strings).toEqual(expected.strings)
      for (const [numbers, all] of [
        [nodes, expected.nodes],
        [edges, expected.edges],
        [locations, expected.locations],
      ])
        expect(
          Buffer.compare(Buffer.from(Uint32Array.from(all).buffer), Buffer.from(Uint32Array.from(numbers).buffer)),
        ).toBe(0)
    }
  })

  it('that breaks off is no snapshot', () => {
    for (const piece of ['', '{"snapshot":{"meta":{}},"nodes":[1,2', '{"nodes":[]}']) {
      const reader = new SnapshotReader()
      reader.push(piece)
      expect(() => reader.end(), piece).toThrow(/not complete/)
    }
  })
})
