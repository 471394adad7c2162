/** Copies and quorums in the simulator: what each setting promises, what breaks it, and how copies catch up. */
import { search } from '@repo/simulator/search'
import { simulate } from '@repo/simulator/simulator'
import { describe, expect, it } from 'vitest'
import { quorumSystem, searchedScenarios } from '../../src/replicas/group.ts'
import { describe as describeMessage, type Message, type Setting, startCopy } from '../../src/replicas/quorum.ts'
import { staleAfterReturn, trial } from '../../src/replicas/trial.ts'

const three: Setting = {
  copies: ['a', 'b', 'c'],
  keeper: 'k',
  w: 2,
  r: 2,
  order: 'counter',
  repair: 'none',
  handOff: 'none',
}
const five: Setting = { ...three, copies: ['a', 'b', 'c', 'd', 'e'], w: 3, r: 3 }
const find = (setting: Setting, seed: number, histories: number) =>
  search(quorumSystem(setting), { seed, scenarios: searchedScenarios(setting), histories, beginnings: 1 })

describe('a copy', () => {
  /** Returns what handles a message. Its result is the answer. */
  function handle(copy: ReturnType<typeof startCopy>, message: Message) {
    const handler = copy.receive(message)
    if (handler === undefined) throw new Error('no handler')
    return handler
  }
  const start = (disk: ReadonlyMap<string, unknown> = new Map()) => startCopy({ run() {} }, 'a', disk)
  const get: Message = { kind: 'get', key: 'x' }
  const put = (at: number, by = 'p'): Message => ({ kind: 'put', key: 'x', entry: { value: `${at}${by}`, at, by } })

  it('has a version on its disk before it says so, and before it shows it', () => {
    const copy = start()
    const [putting, getting] = [handle(copy, put(4)), handle(copy, get)]
    for (const handler of [putting, getting])
      expect(handler.next().value).toMatchObject({ do: 'save', key: 'x', value: { value: '4p' } })
    expect(putting.next()).toEqual({ done: true, value: { kind: 'kept' } })
    expect(getting.next()).toMatchObject({ done: true, value: { kind: 'have', entry: { value: '4p' } } })
  })

  it('keeps the newest version, whatever arrives later', () => {
    const copy = start()
    /** What is saved, and so on the disk in the end. */
    const saved = (message: Message) => handle(copy, message).next().value
    for (const message of [put(4), put(3), put(4, 'o')])
      expect(saved(message)).toMatchObject({ value: { value: '4p' } })
    expect(saved(put(4, 'q'))).toMatchObject({ value: { value: '4q' } })
  })

  it('starts again with what it saved', () => {
    const getting = handle(start(new Map([['x', { value: '7p', at: 7, by: 'p' }]])), get)
    getting.next()
    expect(getting.next().value).toMatchObject({ kind: 'have', entry: { value: '7p' } })
  })
})

describe('a message', () => {
  const entry = { value: '7', at: 3, by: 'p' }
  it.each<[Message, string]>([
    [{ kind: 'get', key: 'x' }, 'x?'],
    [{ kind: 'have' }, 'nothing'],
    [{ kind: 'have', entry }, '7 (3p)'],
    [{ kind: 'put', key: 'x', entry }, 'x = 7 (3p)'],
    [{ kind: 'hint', key: 'x', entry, home: 'c' }, 'x = 7 (3p), for c'],
    [{ kind: 'kept' }, 'kept'],
  ])('%j is described', (message, text) => {
    expect(describeMessage(message)).toBe(text)
  })
})

describe('R + W > N', () => {
  it.each(['none', 'after'] as const)('with repair %s is not linearizable: new, then old', async (repair) => {
    const setting = { ...three, repair }
    const { found } = await find(setting, 1, 5_000)
    expect(found?.run.violations).toEqual([expect.stringMatching(/write x .*; .*: read x: \d+; .*: read x: /)])
    if (!found) return
    // It is the repair before the answer that mends it, and nothing else.
    expect(simulate(quorumSystem({ ...setting, repair: 'before' }), found.shortest).violations).toEqual([])
  })

  it.each([
    ['a majority of three', three],
    ['all written, one read', { ...three, w: 3, r: 1 }],
    ['one written, all read', { ...three, w: 1, r: 3 }],
    ['a majority of five', five],
  ])('with repair before the answer breaks nothing in 500 histories with any seed: %s', async (_, setting) => {
    const seed = Math.floor(Math.random() * 2 ** 31)
    const { found } = await find({ ...setting, repair: 'before' }, seed, 500)
    expect(found?.run.violations, `seed ${seed}`).toBeUndefined()
  })

  it('is not linearizable when clocks decide, and one of them is slow', async () => {
    const setting: Setting = { ...three, repair: 'before', order: 'clock' }
    const { found } = await find(setting, 1, 5_000)
    expect(found?.shortest.nodes).toEqual([expect.objectContaining({ fate: 'clock' })])
    if (!found) return
    expect(simulate(quorumSystem({ ...setting, order: 'counter' }), found.shortest).violations).toEqual([])
  })
})

describe('a trial', () => {
  const given = { operations: 1_000, loss: 0.05, behindMs: 0, seed: 3 }

  const all = [1, 2, 3].flatMap((w) => [1, 2, 3].map((r) => ({ ...three, w, r })))
  const inOne = all.filter(({ w, r }) => r + w > 3)

  it('has no stale read and loses no write if R + W > N', () => {
    for (const setting of inOne) {
      const { stale, lost, reads, writes } = trial(setting, given)
      expect([stale, lost], `W ${setting.w}, R ${setting.r}`).toEqual([0, 0])
      expect(Math.min(reads, writes)).toBeGreaterThan(100)
    }
  })

  it('has stale reads otherwise', () => {
    for (const setting of all) {
      if (inOne.includes(setting)) continue
      const { stale } = trial(setting, { ...given, loss: 0.2 })
      expect(stale, `W ${setting.w}, R ${setting.r}`).toBeGreaterThan(2)
    }
  })

  it('is the same for the same seed', () => {
    expect(trial(three, given)).toEqual(trial(three, given))
    expect(trial(three, given)).not.toEqual(trial(three, { ...given, seed: 4 }))
  })

  it('takes longer the more copies are waited for', () => {
    const [one, two, most] = [1, 2, 3].map((r) => trial({ ...three, r }, { ...given, loss: 0 }))
    // A message takes 1 to 8 ms, so a question and its answer 2 to 16, and a save 1. A write asks first.
    expect(one.readMs).toBeGreaterThan(2)
    expect(two.readMs).toBeGreaterThan(one.readMs)
    expect(most.readMs).toBeGreaterThan(two.readMs)
    expect(most.readMs).toBeLessThan(16)
    expect(most.writeMs).toBeGreaterThan(most.readMs + 3)
    expect(most.writeMs).toBeLessThan(33)
  })

  it('answers who can reach enough copies', () => {
    const share = (w: number, r: number) => trial({ ...three, w, r }, { ...given, loss: 0 })
    expect(share(1, 1)).toMatchObject({ oneAway: 1, twoAway: 1 })
    expect(share(2, 2)).toMatchObject({ oneAway: 1, twoAway: 0 })
    // Half of the operations are reads.
    expect(share(3, 1).oneAway).toBeGreaterThan(0.4)
    expect(share(3, 1).oneAway).toBeLessThan(0.6)
    expect(share(3, 3)).toMatchObject({ oneAway: 0, twoAway: 0 })
    expect(trial(five, { ...given, loss: 0 })).toMatchObject({ oneAway: 1, twoAway: 1 })
  })

  it('loses acknowledged writes when a clock is slow, and none when all are right', () => {
    expect(trial({ ...three, order: 'clock' }, given)).toMatchObject({ lost: 0, stale: 0 })
    const slow = trial({ ...three, order: 'clock' }, { ...given, behindMs: 500 })
    expect(slow.lost).toBeGreaterThan(10)
    expect(slow.stale).toBeGreaterThan(10)
    expect(trial(three, { ...given, behindMs: 500 })).toMatchObject({ lost: 0, stale: 0 })
  })

  it('answers more when hints count, and promises less', () => {
    const strict = trial({ ...three, order: 'clock', handOff: 'hints' }, given)
    const sloppy = trial({ ...three, order: 'clock', handOff: 'sloppy' }, given)
    expect(strict).toMatchObject({ stale: 0, twoAway: 0 })
    // Half of the operations are writes.
    expect(sloppy.twoAway).toBeGreaterThan(0.4)
    expect(sloppy.stale).toBeGreaterThan(0)
  })
})

describe('a copy that was away', () => {
  const stale = (changes: Partial<Setting>, reads: number, keeperDoes: 'stay' | 'restart' | 'die' = 'stay') =>
    staleAfterReturn({ ...three, ...changes }, { keys: 30, reads, keeperDoes, seed: 1 })

  it('lacks everything, and nobody tells it', () => {
    expect(stale({}, 0)).toBe(30)
    expect(stale({}, 300)).toBe(30)
  })

  it('learns from reads what is read', () => {
    const left = [0, 20, 100, 400].map((reads) => stale({ repair: 'after' }, reads))
    expect(left[0]).toBe(30)
    expect(left[1]).toBeGreaterThan(0)
    expect(left).toEqual(left.toSorted((a, b) => b - a))
    expect(left[3]).toBe(0)
  })

  it('learns from hints what nobody reads, also if their keeper restarts, and not if it dies', () => {
    expect(stale({ handOff: 'hints' }, 100)).toBe(0)
    expect(stale({ handOff: 'hints' }, 0, 'restart')).toBe(30)
    expect(stale({ handOff: 'hints' }, 30, 'restart')).toBe(30)
    expect(stale({ handOff: 'hints' }, 200, 'restart')).toBe(0)
    expect(stale({ handOff: 'hints' }, 400, 'die')).toBe(30)
    expect(stale({ handOff: 'hints', repair: 'after' }, 400, 'die')).toBe(0)
  })
})
