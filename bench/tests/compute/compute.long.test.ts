/** The jobs have the same result by every contender, and one that fails becomes its row. */

import { join } from 'node:path'
import { temporaryFolder } from '@repo/common/process/temporary'
import { versionOf } from '@repo/common/process/version'
import { describeReal, leavesNothingRunning } from '@repo/common/testing/vitest'
import { describe, expect, it } from 'vitest'
import { enginesPython } from '../../src/brokers/temporal.ts'
import { type Contender, contenders } from '../../src/compute/contenders.ts'
import { digestOf, type JobName, jobs } from '../../src/compute/jobs.ts'
import { computeWith } from '../../src/compute/suite.ts'
import { startAsked } from '../../src/harness/asked.ts'
import { growthOf } from '../../src/harness/growth.ts'
import { newRow } from '../../src/harness/suite.ts'
import { ratiosOf } from '../../src/harness/turns.ts'

leavesNothingRunning()

const { signal } = new AbortController()
const names = Object.keys(jobs) as JobName[]

/** Every job of its smallest size, twice: the second time in memory that was used before. */
async function doesAllJobs(id: string) {
  await using folder = await temporaryFolder()
  const place = { workers: 2, folder: folder.path, signal }
  await using running = await (contenders[id] as Contender).start(place)
  for (const name of names) {
    const [size] = jobs[name].sizes.quick
    const job = jobs[name].prepare(size, 2)
    const file = join(folder.path, name)
    await job.write(file)
    await job.alone()
    const expected = digestOf(job.result())
    for (const _ of [1, 2]) {
      const { digest } = await running.run({ name, size, job, file })
      expect(digest, name).toBe(expected)
    }
  }
}

describe('the same results as on one thread', () => {
  it.each(['ours', 'tinypool', 'workerpool', 'threads', 'alone', 'limit'])('by %s', doesAllJobs)
})

const python = {
  name: 'Python with Dask',
  found:
    (await versionOf([enginesPython, '-c', 'import distributed, sys; print(sys.version); sys.exit()'])) !== undefined,
  install: 'npm run engines',
}
describeReal('the same results in Python', python, () => {
  it.each(['numpy', 'futures', 'dask'])('by %s', doesAllJobs)
})

/** A contender that does each job as ours does, and then something else. */
const failing = (label: string, instead: (ms: number) => Promise<{ ms: number; digest: string }>): Contender => ({
  label,
  async start(place) {
    const running = await (contenders.ours as Contender).start(place)
    return {
      version: '0',
      run: async (request) => await instead((await running.run(request)).ms),
      [Symbol.asyncDispose]: () => running[Symbol.asyncDispose](),
    }
  },
})

it('measures four sizes in turns, and makes rows of those that crash, print nonsense, or are wrong', async () => {
  const program = (source: string) => async () => {
    await using asked = startAsked(process.execPath, ['-e', source])
    return await asked.ask<{ ms: number; digest: string }>({})
  }
  const suite = computeWith(
    {
      ours: contenders.ours as Contender,
      missing: {
        label: 'missing',
        start: async () => {
          throw new Error('needs more: npm run more')
        },
      },
      crashing: failing('crashing', program("process.stderr.write('MemoryError: full\\n'); process.exit(1)")),
      nonsense: failing('nonsense', program("console.log('ready.')")),
      wrong: failing('wrong', async (ms) => ({ ms, digest: 'of something else' })),
      limit: contenders.limit as Contender,
    },
    ['sort'],
  )
  const rows = Object.entries(suite.contenders).map(([id, { label }]) => newRow(id, label))
  await suite.measure(rows, { quick: true, signal, onProgress: () => {} })
  expect(rows.map(({ id, failed }) => [id, failed])).toEqual([
    ['ours', undefined],
    ['missing', 'needs more: npm run more'],
    ['crashing', expect.stringContaining('MemoryError: full')],
    ['nonsense', expect.stringContaining('received "ready."; accepts a line of JSON')],
    ['wrong', 'sort: another result than that of one thread'],
    ['limit', undefined],
  ])
  for (const row of rows.filter(({ failed }) => failed === undefined)) {
    expect(growthOf(row, 'sort').map(({ size }) => size)).toEqual(jobs.sort.sizes.quick)
    expect(ratiosOf(row, 'sort')).toHaveLength(3)
  }
  const [table] = suite.tables(rows)
  expect(table?.rows.map(([label]) => label)).toEqual(['chapter 3, on Piscina', 'the limit: copies of it, one a core'])
  expect(table?.rows.at(-1)?.[2]).toBe('100 %')
  expect(suite.pictures(rows).sort).toContain('the limit: copies of it, one a core (slope ')
})
