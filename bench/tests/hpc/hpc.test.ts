/** All run the same tasks on a host, a task that fails is not lost, and what cannot be had becomes a row. */
import { readFile, writeFile } from 'node:fs/promises'
import { until } from '@repo/common/async/until'
import { describeReal, leavesNothingRunning } from '@repo/common/testing/vitest'
import { findPython, installPython } from '04-celery/celery/python'
import { findOpenSsh, installOpenSsh } from '06-hpc/real/open-ssh'
import { expect, it } from 'vitest'
import { growthOf } from '../../src/harness/growth.ts'
import { newRow } from '../../src/harness/suite.ts'
import { atOnce, type Contender, contenders } from '../../src/hpc/contenders.ts'
import { startHost } from '../../src/hpc/host.ts'
import { hpcWith } from '../../src/hpc/suite.ts'

const running = leavesNothingRunning()

const { signal } = new AbortController()
const add = (count: number) => Array.from({ length: count }, (_, at) => `expr ${at} + 1`)
const noHost = async () => {
  throw new Error('no host')
}

/** More tasks than may run at once, one that fails, and a host that has another key than the one that is known. */
async function runsThemAll(ids: string[]) {
  await using host = await startHost(signal)
  const known = await readFile(host.knownHostsFile, 'utf8')
  const other = known.replace(/\S+$/m, 'AAAAC3NzaC1lZDI1NTE5AAAAIIidr0zISvVl6yhM4C2hTAmXs0dN4Ob0cCLdYyLzNUtC')
  for (const id of ids) {
    await using contender = await (contenders[id] as Contender).start({ host: async () => host, signal })
    const results = (await contender.run(add(2 * atOnce), signal)).map(Number)
    expect(results.sort((a, b) => a - b)).toEqual(add(2 * atOnce).map((_, at) => at + 1))
    await expect(contender.run([...add(2), 'false'], signal)).rejects.toThrow(/false.* ended with|a task failed/)
    // The connection is closed, and the server's process for it ends a moment later.
    await until(async () => (await host.sessions()).length === 0, { what: 'no connection' })
    await writeFile(host.knownHostsFile, other)
    await expect(contender.run(add(1), signal), id).rejects.toThrow(/host ?key/i)
    await writeFile(host.knownHostsFile, known)
  }
}

describeReal('on a host', { name: 'OpenSSH', found: await findOpenSsh(), install: installOpenSsh }, () => {
  it('chapter 6 runs them all', () => runsThemAll(['ours']))
  it('ssh runs them all', () => runsThemAll(['loop', 'master', 'xargs']))
})

const python = (await findOpenSsh()) && (await findPython('paramiko'))
describeReal('by Python', { name: 'Paramiko', found: python, install: installPython.paramiko }, () => {
  it('Paramiko runs them all', () => runsThemAll(['paramiko', 'threads']))
})

it('runs tasks on this machine, and ends all of them when it is interrupted', async () => {
  await using limit = await (contenders.limit as Contender).start({ host: noHost, signal })
  expect((await limit.run(add(3), signal)).sort()).toEqual(['1', '2', '3'])
  await expect(limit.run(['false'], signal)).rejects.toThrow('a task failed: xargs ended with 123')
  const stop = new AbortController()
  const sleeping = limit.run(Array(2 * atOnce).fill('sleep 60'), stop.signal)
  await until(async () => (await running()).filter((line) => line.endsWith(' sleep 60')).length >= atOnce)
  stop.abort(new Error('enough'))
  await expect(sleeping).rejects.toThrow('enough')
})

it('measures four sizes in turns, and makes a row of one that fails, answers wrongly or has no host', async () => {
  const { limit, ours, paramiko } = contenders as Record<string, Contender>
  let runs = 0
  const counted = (change: (outputs: string[]) => string[]): Contender => ({
    label: 'counted',
    start: async () => ({
      version: '0',
      async run(tasks) {
        runs++
        return change(tasks.map((_, at) => String(at + 1)))
      },
      async [Symbol.asyncDispose]() {},
    }),
  })
  const suite = hpcWith(
    {
      right: counted((outputs) => outputs),
      wrong: counted((outputs) => outputs.with(-1, '0')),
      limit: limit as Contender,
      ours: ours as Contender,
      paramiko: paramiko as Contender,
    },
    noHost,
  )
  const rows = Object.entries(suite.contenders).map(([id, { label }]) => newRow(id, label))
  await suite.measure(rows, { quick: true, signal, onProgress: () => {} })
  expect(rows.map(({ failed }) => failed)).toEqual([
    undefined,
    'other results than 1 to 4',
    undefined,
    'no host',
    'no host',
  ])
  for (const row of [rows[0], rows[2]]) expect(growthOf(row ?? newRow('', ''), 'ms')).toHaveLength(4)
  // A warm-up and a round of each size; and once by the wrong one.
  expect(runs).toBe(1 + 4 + 1)
  expect(suite.tables(rows)[0]?.rows.map(([label]) => label)).toEqual(['counted', limit?.label])
  expect(suite.pictures(rows).hpc).toContain(`${limit?.label} (slope `)
})
