/** The verdict on a system, and the faults of a seed. */
import { until } from '@repo/common/async/until'
import type { Child } from '@repo/common/process/child'
import { StateRecord } from '@repo/common/servers/faults'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { faultsOf, strike } from '../../src/consistency/faults.ts'
import { judge } from '../../src/consistency/judge.ts'
import { record } from '../../src/consistency/run.ts'
import { type Action, carryOut } from '../../src/linear/history.ts'
import type { System, Trouble } from '../../src/systems/system.ts'
import { parse } from '../linear/histories.ts'

describe('the verdict', () => {
  it('counts acknowledged writes that the last reads miss', () => {
    const history = parse(
      'p 0-1 w 1 @once-1',
      'p 2-3 w 2 @once-2',
      'p 4- w 3 @once-3',
      'q 10-11 r 1 @once-1',
      'q 12-13 r - @once-2',
      'q 14-15 r - @once-3',
    )
    const { verdict, keys, acknowledged, lost, part } = judge(history, 1_000)
    expect({ verdict, keys, acknowledged, lost }).toEqual({
      verdict: 'not linearizable',
      keys: { linearizable: 2, wrong: 1, unknown: 0 },
      acknowledged: 2,
      lost: 1,
    })
    expect(part).toEqual([history[1], history[4]])
  })

  it('shows a key that is shared first', () => {
    const history = parse('p 0-1 w 1 @once-1', 'q 2-3 r - @once-1', 'p 4-5 w 1', 'q 6-7 r -')
    const { part, lostPart } = judge(history, 1_000)
    expect(part.map(({ key }) => key)).toEqual(['x', 'x'])
    expect(lostPart.map(({ key }) => key)).toEqual(['once-1', 'once-1'])
  })

  it('is unknown where the budget does not suffice', () => {
    const history = parse(...Array.from({ length: 12 }, (_, at) => `c${at} 0-100 w ${at}`), 'p 101-102 r none')
    expect(judge(history, 100)).toMatchObject({ verdict: 'unknown', part: [] })
  })
})

describe('the faults of a seed', () => {
  it('are the same for the same seed, and the first five strike the leader in all ways', () => {
    fc.assert(
      fc.property(fc.nat(), fc.integer({ min: 5, max: 20 }), (seed, count) => {
        const faults = faultsOf(seed, count)
        expect(faults).toEqual(faultsOf(seed, count))
        expect(faults).toHaveLength(count)
        expect(
          faults
            .slice(0, 5)
            .map(({ kind }) => kind)
            .sort(),
        ).toEqual(['all killed', 'clock wrong', 'cut off', 'killed', 'paused'])
        expect(faults.slice(0, 5).every(({ target }) => target === 'leader')).toBe(true)
      }),
    )
  })
})

/**
 * A store in this process that is right, and forgets everything when its node is killed if it is told to. It is killed when
 * there is a write to lose.
 */
function inMemory({ forgets }: { forgets: boolean }): System & { log: string[] } {
  const values = new Map<string, string | null>()
  let kept: ReadonlyMap<string, string | null> = new Map()
  const log: string[] = []
  const process = { kill: (signal: string) => log.push(signal) }
  return {
    log,
    version: '1',
    durability: 'never',
    nodes: ['a'],
    untried: [],
    leader: async () => 'a',
    network: { cut: (node) => log.push(`cut ${node}`), heal: () => log.push('heal') },
    children: {
      get: () =>
        ({
          process,
          async kill() {
            await until(() => [...values.keys()].some((key) => key.startsWith('once-') && !kept.has(key)))
            log.push('kill')
            if (forgets) values.clear()
          },
        }) as unknown as Child,
      async restart(node) {
        log.push(`restart ${node}`)
      },
      [Symbol.asyncDispose]: async () => {},
    },
    async keepDisks() {
      kept = new Map(values)
      log.push('keep')
      return async () => {
        log.push('set back')
        values.clear()
        for (const [key, value] of kept) values.set(key, value)
      }
    },
    connect: async () => ({
      async ask(key: string, does: Action) {
        const { answer, value } = carryOut(does, values.get(key) ?? null)
        values.set(key, value)
        return answer
      },
    }),
    [Symbol.asyncDispose]: async () => {},
  }
}

describe('the workload', () => {
  const faults = [{ kind: 'killed', target: 'leader', afterMs: 300, lastsMs: 10 } as const]
  const options = { clients: 4, keys: 2, seed: 1, faults }

  it('finds a right store linearizable', async () => {
    const { history, troubles } = await record(inMemory({ forgets: false }), options)
    expect(judge(history, 100_000)).toMatchObject({ verdict: 'linearizable', lost: 0, unanswered: 0 })
    expect(troubles).toMatchObject([{ name: 'a', spans: [{ kind: 'killed' }] }])
  })

  it('finds what a store has forgotten', async () => {
    const { history } = await record(inMemory({ forgets: true }), options)
    const { verdict, lost, lostPart } = judge(history, 100_000)
    expect(verdict).toBe('not linearizable')
    expect(lost).toBeGreaterThan(0)
    expect(lostPart).toMatchObject([{ does: { write: expect.any(String) } }, { ended: { read: null } }])
  })

  it('finds what was written after the disks were kept, when all nodes lose their power', async () => {
    const system = inMemory({ forgets: false })
    const faults = [{ kind: 'all killed', target: 'leader', afterMs: 100, lastsMs: 300 } as const]
    const { history } = await record(system, { clients: 4, keys: 2, seed: 1, faults })
    expect(judge(history, 100_000).lost).toBeGreaterThan(0)
    expect(system.log).toEqual(['keep', 'kill', 'set back', 'restart a'])
  })

  it('leaves a wrong clock out where there is none', async () => {
    const system = inMemory({ forgets: false })
    const states = new StateRecord<Trouble>()
    const fault = { kind: 'clock wrong', target: 'leader', afterMs: 60_000, lastsMs: 60_000 } as const
    await strike(system, fault, states, { isAnswered: () => true })
    expect(states.rows()).toEqual([])
  })

  it('ends when a node has ended by itself', async () => {
    const system = { ...inMemory({ forgets: false }), failed: Promise.resolve(new Error('a ended: no space left')) }
    await expect(record(system, options)).rejects.toThrow('a ended: no space left')
  })

  it('undoes a fault when it is aborted', async () => {
    const system = inMemory({ forgets: false })
    const aborting = new AbortController()
    const states = new StateRecord<Trouble>()
    system.network.cut = (node) => {
      system.log.push(`cut ${node}`)
      aborting.abort(new Error('enough'))
    }
    const fault = { kind: 'cut off', target: 'leader', afterMs: 0, lastsMs: 60_000 } as const
    const options = { signal: aborting.signal, isAnswered: () => true }
    await expect(strike(system, fault, states, options)).rejects.toThrow('enough')
    expect(system.log).toEqual(['cut a', 'heal'])
  })
})
