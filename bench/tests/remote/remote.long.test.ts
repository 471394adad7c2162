/** All call the same object, and one that says something wrong or ends becomes its row. */
import { describeReal, leavesNothingRunning } from '@repo/common/testing/vitest'
import { findPython, installPython } from '04-celery/celery/python'
import { expect, it } from 'vitest'
import { growthOf, ratioAt } from '../../src/harness/growth.ts'
import { newRow } from '../../src/harness/suite.ts'
import { type Contender, contenders } from '../../src/remote/contenders.ts'
import { remoteWith } from '../../src/remote/suite.ts'

leavesNothingRunning()

const { signal } = new AbortController()

async function callsTheSame(id: string) {
  await using running = await (contenders[id] as Contender).start(signal)
  // Of a megabyte: it comes in many pieces.
  for (const size of [1, 1_000_000]) {
    // The last are fewer than the others.
    for (const [calls, atOnce] of [
      [3, 1],
      [7, 4],
    ] as const) {
      const { lengths } = await running.call({ text: 'x'.repeat(size), calls, atOnce }, signal)
      expect(lengths).toEqual(Array(calls).fill(size))
    }
  }
  const cut = running.call({ text: 'x', calls: 1_000_000, atOnce: 1_000 }, signal)
  const failed = expect(cut).rejects.toThrow()
  await running[Symbol.asyncDispose]()
  await failed
}

it.each(['ours', 'grpc', 'capnweb', 'websocket', 'limit'])(
  '%s hands over the text, and fails when its server ends',
  callsTheSame,
)

const pythons = { Pyro5: await findPython('Pyro5'), Pyro4: await findPython('Pyro4') }
for (const generation of ['Pyro5', 'Pyro4'] as const) {
  const found = pythons[generation]
  const name = `${generation.replace('Pyro', 'Pyro ')} for Python`
  describeReal(generation, { name, found, install: installPython[generation] }, () => {
    it('hands over the text, and fails when its server ends', () => callsTheSame(generation.toLowerCase()))
  })
}

it('stops between two calls when it is told to', async () => {
  await using running = await (contenders.limit as Contender).start(signal)
  const stop = AbortSignal.abort(new Error('enough'))
  await expect(running.call({ text: 'x', calls: 10, atOnce: 1 }, stop)).rejects.toThrow('enough')
})

it('measures four sizes in turns, and makes rows of those that are missing, end, or say something wrong', async () => {
  const limit = contenders.limit as Contender
  const answering = (label: string, change: (lengths: number[]) => number[]): Contender => ({
    label,
    start: async () => ({
      version: '0',
      call: async ({ text, calls }) => ({ ms: 1, lengths: change(Array(calls).fill(text.length)) }),
      async [Symbol.asyncDispose]() {},
    }),
  })
  const suite = remoteWith({
    limit,
    missing: {
      label: 'missing',
      start: async () => {
        throw new Error('needs more: npm run more')
      },
    },
    crashing: {
      label: 'crashing',
      async start(place) {
        const running = await limit.start(place)
        await running[Symbol.asyncDispose]()
        return running
      },
    },
    few: answering('few', (lengths) => lengths.slice(1)),
    wrong: answering('wrong', (lengths) => lengths.with(-1, 12)),
    again: { ...limit, label: 'again' },
  })
  const rows = Object.entries(suite.contenders).map(([id, { label }]) => newRow(id, label))
  await suite.measure(rows, { quick: true, signal, onProgress: () => {} })
  expect(rows.map(({ id, failed }) => [id, failed])).toEqual([
    ['limit', undefined],
    ['missing', 'needs more: npm run more'],
    ['crashing', 'the connection has ended'],
    ['few', expect.stringMatching(/^received \d+ answers; accepts /)],
    ['wrong', expect.stringMatching(/^received 12; accepts /)],
    ['again', undefined],
  ])
  const again = rows.at(-1) ?? newRow('', '')
  for (const metric of Object.keys(suite.metrics)) {
    expect(growthOf(again, metric).map(({ size }) => size)).toEqual([10, 1_000, 100_000, 1_000_000])
    for (const size of [10, 1_000_000]) expect(ratioAt(again, metric, size)).toBeGreaterThan(0)
  }
  const tables = suite.tables(rows)
  expect(tables).toHaveLength(2)
  for (const table of tables) {
    expect(table.rows.map(([label]) => label)).toEqual([limit.label, 'again'])
    expect(table.rows[0]).toContain('1.00×')
  }
  expect(suite.pictures(rows)['remote-together']).toContain('again (slope ')
})
