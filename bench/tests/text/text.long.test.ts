/** All count the same, and one that fails becomes its row. */
import { firstInstalled } from '@repo/common/process/version'
import { describeReal, leavesNothingRunning } from '@repo/common/testing/vitest'
import { stateOfTheUnionFiles } from '@repo/common/workloads/texts'
import { searchFor } from '02-async/grep/pattern'
import { pullGenerators } from '02-async/grep/pull'
import { expect, it } from 'vitest'
import { growthOf } from '../../src/harness/growth.ts'
import { newRow } from '../../src/harness/suite.ts'
import { type Contender, contenders, word } from '../../src/text/contenders.ts'
import { textWith } from '../../src/text/suite.ts'

leavesNothingRunning()

const { signal } = new AbortController()
/** Of 1862: the word occurs several times. */
const file = stateOfTheUnionFiles().find((path) => path.includes('1862')) ?? ''

async function countsTheSame(id: string) {
  const { occurrences } = await pullGenerators(searchFor(word), [file])
  expect(occurrences).toBeGreaterThan(1)
  await using running = await (contenders[id] as Contender).start(signal)
  for (const _ of [1, 2]) expect(await running.count(file, signal)).toMatchObject({ occurrences })
  await expect(running.count(`${file}.missing`, signal)).rejects.toThrow()
}

it.each(['pull', 'grep'])('%s counts the same, and fails without the file', countsTheSame)

for (const [id, name] of [
  ['ripgrep', 'rg'],
  ['python', 'python3'],
] as const) {
  const found = await firstInstalled([name])
  describeReal(id, { name, found, install: `sudo apt-get install ${id}` }, () => {
    it('counts the same, and fails without the file', () => countsTheSame(id))
  })
}

it('measures four sizes in turns, and makes a row of one that counts something else', async () => {
  const { bytes, limit } = contenders as Record<string, Contender>
  const wrong: Contender = {
    label: 'wrong',
    start: async () => ({
      version: '0',
      count: async () => ({ ms: 1, occurrences: 12 }),
      async [Symbol.asyncDispose]() {},
    }),
  }
  const suite = textWith({ bytes: bytes as Contender, wrong, limit: limit as Contender })
  const rows = Object.entries(suite.contenders).map(([id, { label }]) => newRow(id, label))
  await suite.measure(rows, { quick: true, signal, onProgress: () => {} })
  expect(rows.map(({ failed }) => failed)).toEqual([
    undefined,
    expect.stringMatching(/^received 12 occurrences; there are \d+$/),
    undefined,
  ])
  for (const row of [rows[0], rows[2]]) expect(growthOf(row ?? newRow('', ''), 'ms')).toHaveLength(4)
  expect(suite.tables(rows)[0]?.rows.map(([label]) => label)).toEqual([bytes?.label, limit?.label])
  expect(suite.pictures(rows).text).toContain(`${limit?.label} (slope `)
})
