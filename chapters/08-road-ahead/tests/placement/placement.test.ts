/** Where a key lives: values of the reference implementation, what moves when a node joins, and how even the nodes are. */
import { createHash } from 'node:crypto'
import { join } from 'node:path'
import { runHere } from '@repo/common/testing/run-here'
import { runExample } from '@repo/common/testing/testing'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import example from '../../examples/ring.ts'
import { hash64, jump, jumpHash, modulo, type Place, rendezvous, ring } from '../../src/placement/placement.ts'

const keys = Array.from({ length: 4_000 }, (_, at) => `key ${at}`)

describe('a hash', () => {
  it('is the beginning of the MD5: RFC 1321 has that of "abc"', () => {
    expect(hash64('abc').toString(16)).toBe('900150983cd24fb0')
    expect(hash64('ü')).toBe(BigInt(`0x${createHash('md5').update('ü').digest('hex').slice(0, 16)}`))
  })
})

describe('jump hash', () => {
  it.each([
    // From the reference implementation in C++, as the tests of github.com/dgryski/go-jump have them.
    [1n, [0, 0, 0, 0, 0, 0, 6, 6, 6, 6, 6, 6, 6, 6, 6, 6, 6, 17, 17]],
    [0xdeadbeefn, [0, 1, 2, 3, 3, 5, 5, 5, 5, 5, 5, 5, 5, 5, 5, 5, 16, 16, 16]],
    [0x0ddc0ffeebadf00dn, [0, 1, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 15, 15, 15, 15]],
  ])('of %d is that of the reference implementation for 1 to 19 nodes', (key, nodes) => {
    expect(nodes.map((_, at) => jumpHash(key, at + 1))).toEqual(nodes)
  })

  it('is that of another implementation for many nodes', () => {
    // From the tests of github.com/lithammer/go-jump-consistent-hash.
    expect([jumpHash(42n, 57), jumpHash(0xdead10ccn, 666), jumpHash(256n, 1024)]).toEqual([43, 361, 520])
  })
})

const steady: [string, (nodes: number) => Place][] = [
  ['a ring of 1 point', (nodes) => ring(nodes, 1)],
  ['a ring of 20 points', (nodes) => ring(nodes, 20)],
  ['jump', jump],
  ['rendezvous', rendezvous],
]

describe('when a node joins', () => {
  it.each(steady)('%s moves keys to it only', (_, build) => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 12 }), fc.array(fc.string(), { maxLength: 50 }), (nodes, some) => {
        const [before, after] = [build(nodes), build(nodes + 1)]
        for (const key of [...some, 'a', 'b']) expect([before(key), nodes]).toContain(after(key))
      }),
      { numRuns: 50 },
    )
  })

  it('modulo moves nearly all: a key stays only where both remainders are equal', () => {
    const [before, after] = [modulo(10), modulo(11)]
    const moved = keys.filter((key) => before(key) !== after(key)).length / keys.length
    // 10 of the 110 remainders by 110 are equal.
    expect(moved).toBeCloseTo(10 / 11, 1)
  })
})

describe('any node', () => {
  it('may leave the rendezvous: its keys move, no others', () => {
    // A node that leaves is one that no key finds: the others keep their order.
    const all = keys.slice(0, 300).map((key) => [key, rendezvous(5)(key)] as const)
    const highest = (key: string, nodes: number[]) =>
      nodes.reduce((best, node) => (hash64(`${node} ${key}`) > hash64(`${best} ${key}`) ? node : best))
    for (const [key, node] of all) {
      const left = highest(key, [0, 1, 3, 4])
      if (node === 2) expect(left).not.toBe(2)
      else expect(left).toBe(node)
    }
  })
})

describe('evenness', () => {
  const spread = (place: Place, nodes: number) => {
    const counts = Array.from({ length: nodes }, () => 0)
    for (const key of keys) counts[place(key)] = (counts[place(key)] ?? 0) + 1
    return [Math.min(...counts), Math.max(...counts)].map((each) => (each * nodes) / keys.length) as [number, number]
  }

  it.each([
    // Four standard deviations of a binomial distribution of 4,000 keys on 10 nodes are 19 % of a share.
    ['modulo', modulo(10), 0.19],
    ['jump', jump(10), 0.19],
    ['rendezvous', rendezvous(10), 0.19],
    // The arcs of 200 points add 1 / √200 = 7 % of a share as a standard deviation.
    ['a ring of 200 points', ring(10, 200), 4 * Math.hypot(0.0474, 0.0707)],
  ] as const)('of %s is what chance allows', (_, place, off) => {
    const [emptiest, fullest] = spread(place, 10)
    expect(emptiest).toBeGreaterThan(1 - off)
    expect(fullest).toBeLessThan(1 + off)
  })

  it('grows with the points of a ring', () => {
    const fullest = [1, 20, 400].map((points) => spread(ring(10, points), 10)[1])
    expect(fullest).toEqual(fullest.toSorted((a, b) => b - a))
  })

  it('has no node left out: one node gets everything', () => {
    for (const [, build] of [...steady, ['modulo', modulo] as const]) expect(build(1)('any')).toBe(0)
  })
})

describe('ring', () => {
  it('prints how many keys move, with a picture', async () => {
    const run = await runExample(join(import.meta.dirname, '../..'), 'ring', ['--quick', '--points', '1,50', '--json'])
    expect(run, run.stderr).toMatchObject({ code: 0 })
    const { ways, ...result } = run.json<{ ways: { way: string; moved: number; astray: number }[]; even: number }>()
    expect(result).toMatchObject({ nodes: 10, keys: 10_000, picture: expect.stringMatching(/ring\.svg$/) })
    expect(ways.map(({ way }) => way)).toEqual(['modulo', 'ring, 1 point', 'ring, 50 points', 'jump', 'rendezvous'])
    const [first, ...others] = ways
    expect(first?.moved).toBeGreaterThan(0.88)
    for (const { astray } of others) expect(astray).toBe(0)
    expect(await run.leftBehind()).toEqual([])
  })

  it('prints its help', async () => {
    expect((await runHere(example, '--help')).stdout).toMatch(/--points/)
  })

  it('refuses more points than a circle can hold', async () => {
    const run = await runHere(example, '--nodes', '1000', '--points', '1,1001')
    expect(run).toMatchObject({ code: 2, stdout: '' })
    expect(run.stderr).toContain('--points: received "1,1001"; accepts up to 1000 with 1000 nodes: 1,000,000 in all')
  })

  it.each([{ nodes: '0' }, { keys: '99' }, { points: '0' }, { points: '1,1' }, { points: 'many' }])(
    'refuses %j',
    async (options) => {
      const [[name, value] = []] = Object.entries(options)
      const run = await runHere(example, `--${name}`, String(value))
      expect(run).toMatchObject({ code: 2, stdout: '' })
      expect(run.stderr.trim().split('\n')).toHaveLength(1)
      expect(run.stderr).toContain(`--${name}: received "${value}"; accepts `)
    },
  )
})
