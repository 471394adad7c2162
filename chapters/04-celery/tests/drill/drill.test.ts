/** The faults of a drill and its workers. That nothing is lost and nothing doubled: drill.long.test.ts. */
import { once } from 'node:events'
import { type AddressInfo, createServer } from 'node:net'
import { startProgram } from '@repo/common/process/child'
import { StateRecord } from '@repo/common/servers/faults'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { faultsOf } from '../../src/drill/faults.ts'
import { Supervisor } from '../../src/drill/supervisor.ts'
import { said } from '../fixtures/said.ts'

describe('the schedule of faults', () => {
  const settings = fc.record({
    seed: fc.nat(),
    jobs: fc.integer({ min: 100, max: 100_000 }),
    kills: fc.nat(20),
    restarts: fc.nat(20),
    partitions: fc.nat(20),
    workers: fc.integer({ min: 2, max: 8 }),
    ledger: fc.constantFrom('own' as const, 'queue' as const),
  })

  it('follows from the seed, has as many of each kind as were asked for, in order, while jobs are left', () => {
    fc.assert(
      fc.property(settings, (given) => {
        const faults = faultsOf(given)
        expect(faultsOf({ ...given })).toEqual(faults)
        const countOf = (kind: string) => faults.filter((fault) => fault.kind === kind).length
        expect([countOf('kill'), countOf('restart'), countOf('partition')]).toEqual([
          given.kills,
          given.restarts,
          given.partitions,
        ])
        const moments = faults.map(({ atDone }) => atDone)
        expect(moments).toEqual(moments.toSorted((a, b) => a - b))
        for (const { atDone, kind, target } of faults) {
          expect(atDone).toBeLessThan(given.jobs)
          if (kind === 'restart') expect(given.ledger === 'own' ? ['queue', 'ledger'] : ['queue']).toContain(target)
          else expect(Number(/^worker (\d+)$/.exec(target)?.[1])).toBeLessThanOrEqual(given.workers)
        }
      }),
    )
  })

  it('is another one for another seed', () => {
    const given = { jobs: 10_000, kills: 10, restarts: 4, partitions: 2, workers: 3, ledger: 'own' as const }
    expect(faultsOf({ ...given, seed: 1 })).not.toEqual(faultsOf({ ...given, seed: 2 }))
  })
})

describe('a worker of a drill', () => {
  it('that cannot start, because nobody answers, ends when the drill is interrupted', { timeout: 30_000 }, async () => {
    await using silence = createServer((socket) => socket.on('error', () => {})).listen(0, '127.0.0.1')
    await once(silence, 'listening')
    const url = `redis://127.0.0.1:${(silence.address() as AddressInfo).port}`
    const interruption = new AbortController()
    const worker = new Supervisor({
      name: 'worker 1',
      launch: (name, options) =>
        startProgram(new URL('../../src/drill/worker.program.ts', import.meta.url), {
          ...options,
          args: ['prefix', name, '1', '1000'],
          env: { REDIS_URL: url, LEDGER_URL: url },
        }),
      history: new StateRecord(() => 0),
      signal: interruption.signal,
      onFailure: () => {},
    })
    const connected = once(silence, 'connection')
    worker.start()
    const [socket] = await connected
    interruption.abort()
    await worker[Symbol.asyncDispose]()
    socket.destroy()
  })
})

describe('drill', () => {
  it.each([
    ['--jobs', '99'],
    ['--seed', '-1'],
    ['--workers', '1'],
    ['--ledger', 'file'],
    ['--lock', '10'],
  ])('refuses %s %s', async (option, value) => {
    const { code, stdout, stderr } = await said('drill', [option, value])
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' })
    expect(stderr).toMatch(new RegExp(`^error: ${option}: received "${value}"; accepts .*\n$`))
  })
})
