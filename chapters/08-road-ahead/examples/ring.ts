/**
 * ring: how many keys move when a node joins, and how evenly they lie, by four ways to place them
 *
 *     pnpm --filter 08-road-ahead start ring
 *     pnpm --filter 08-road-ahead start ring --nodes 50 --keys 1000000
 *     pnpm --filter 08-road-ahead start ring --points 1,1000
 *
 * The keys are the words of 233 speeches. Each way says by itself, without a table that nodes would have to agree on, which
 * node keeps a word.
 *
 * Look for: the share of keys that move when an eleventh node joins ten, beside its even share; how full the fullest
 * node is; and what the look-up costs.
 */
import { example } from '@repo/common/example/example'
import { listOf, wholeNumber } from '@repo/common/example/options'
import { UsageError } from '@repo/common/example/usage'
import { median } from '@repo/common/measure'
import { draw, palette } from '@repo/common/output/plots'
import { progress } from '@repo/common/output/progress'
import { count, percent, table } from '@repo/common/output/terminal'
import { stateOfTheUnion } from '@repo/common/workloads/texts'
import { jump, modulo, type Place, rendezvous, ring } from '../src/placement/placement.ts'

/** The distinct words of real texts, and numbered ones if more keys are wanted. */
function keysOf(wanted: number): string[] {
  const words = new Set(stateOfTheUnion().flatMap(({ text }) => text.toLowerCase().match(/\p{L}+/gu) ?? []))
  const keys = [...words].slice(0, wanted)
  for (let at = 0; keys.length < wanted; at++) keys.push(`key ${at}`)
  return keys
}

/** The number of keys that are timed together. */
const blockSize = 1_000
/** Of all nodes: more of them take minutes, and gigabytes. */
const mostPoints = 1_000_000

export default example(import.meta, {
  options: {
    nodes: wholeNumber(1, 1_000).default(10).describe('before another one joins'),
    keys: wholeNumber(100, 10_000_000).default(30_000).describe('to place; the distinct words of the texts first'),
    points: listOf(wholeNumber(1, 10_000), 'numbers from 1 to 10000, such as 1,200', { distinct: true })
      .default([1, 20, 200])
      .describe('virtual nodes of each node on the ring'),
  },
  quick: { keys: 10_000 },

  async run({ nodes, keys: wanted, points }, { signal, print, picture }) {
    const most = Math.floor(mostPoints / nodes)
    if (points.some((each) => each > most)) {
      throw new UsageError('--points', points, `up to ${most} with ${nodes} nodes: ${count(mostPoints)} in all`)
    }
    const keys = keysOf(wanted)
    const ways: [string, (nodes: number) => Place][] = [
      ['modulo', modulo],
      ...points.map((each): [string, (nodes: number) => Place] => [
        `ring, ${count(each)} ${each === 1 ? 'point' : 'points'}`,
        (of) => ring(of, each),
      ]),
      ['jump', jump],
      ['rendezvous', rendezvous],
    ]
    using bar = progress('placing keys', ways.length)
    /** Progress and Ctrl-C have their turn. */
    const turn = async () => {
      await new Promise((resolve) => setImmediate(resolve))
      signal.throwIfAborted()
    }
    const rows = []
    for (const [at, [way, build]] of ways.entries()) {
      const before = build(nodes)
      const after = build(nodes + 1)
      const counts = Array.from({ length: nodes }, () => 0)
      let moved = 0
      let astray = 0
      // Another program may interrupt any block: the median tells what a look-up takes.
      const blocksMs: number[] = []
      let begin = performance.now()
      for (const [number, key] of keys.entries()) {
        if (number > 0 && number % blockSize === 0) {
          blocksMs.push(performance.now() - begin)
          await turn()
          begin = performance.now()
        }
        const place = before(key)
        counts[place] = (counts[place] ?? 0) + 1
        const next = after(key)
        if (next === place) continue
        moved++
        // It moved from one old node to another, for nothing.
        if (next !== nodes) astray++
      }
      if (blocksMs.length === 0) blocksMs.push((blockSize / keys.length) * (performance.now() - begin))
      // Two look-ups a key.
      const ns = (1e6 * median(blocksMs)) / (2 * blockSize)
      rows.push({
        way,
        moved: moved / keys.length,
        astray: astray / keys.length,
        fullest: (Math.max(...counts) * nodes) / keys.length,
        emptiest: (Math.min(...counts) * nodes) / keys.length,
        ns,
        counts,
      })
      bar.update(at + 1)
      await turn()
    }

    const even = 1 / (nodes + 1)
    const file = await picture('ring.svg', drawCounts(rows, nodes))
    print(
      `${count(keys.length)} keys on ${nodes} nodes; then another node joins.`,
      '',
      table(
        ['placed by', 'move', 'for nothing', 'fullest', 'emptiest', 'ns a key'],
        rows.map(({ way, moved, astray, fullest, emptiest, ns }) => [
          way,
          percent(moved),
          percent(astray),
          `${fullest.toFixed(2)} ×`,
          `${emptiest.toFixed(2)} ×`,
          count(Math.round(ns)),
        ]),
      ),
      '',
      `The new node gets its even share if ${percent(even)} move. "Fullest" and "emptiest" are in even shares.`,
      `Picture: ${file}`,
    )
    return { nodes, keys: keys.length, even, ways: rows, picture: file }
  },
  figure: ({ even, ways }) => {
    const moved = (name: string) => percent(ways.find(({ way }) => way === name)?.moved ?? 0)
    return `a node joins: modulo moves ${moved('modulo')} of the keys, jump ${moved('jump')}; an even share is ${percent(even)}`
  },
})

/** A row of dots for each way: how full its nodes are. */
function drawCounts(rows: readonly { way: string; counts: number[] }[], nodes: number): string {
  const dots = rows.flatMap(({ way, counts }) => {
    const sum = counts.reduce((total, each) => total + each, 0)
    return counts.map((each) => ({ way, share: (each * nodes) / sum }))
  })
  return draw({
    title: `How evenly ${nodes} nodes are filled`,
    subtitle: 'Each dot is a node; 1 is its even share of the keys',
    width: 760,
    height: 70 + 45 * rows.length,
    marginLeft: 130,
    x: { label: 'even shares', domain: [0, 1.05 * Math.max(...dots.map(({ share }) => share))] },
    y: { label: '', domain: rows.map(({ way }) => way) },
    marks: (plot) => [
      plot.ruleX([1], { stroke: palette[5], strokeDasharray: '4 3' }),
      plot.dot(dots, { x: 'share', y: 'way', fill: palette[0], fillOpacity: 0.6, r: 5 }),
    ],
  })
}
