import { leavesNothingRunning } from '@repo/common/testing/vitest'
import { describe, expect, it } from 'vitest'
import type { Fault } from '../src/exercise.ts'
import { judge } from '../src/judge.ts'
import { chapterWith, src } from './chapter.ts'

leavesNothingRunning()

/** Two threads add to word 0; `result` is what it should be in the end. */
const check = (options = '') => `
  import { underEveryInterleaving } from '${src}/threads.ts'
  const add = ({ add }, { memory, note }) => add(memory, note)
  export const threads = { a: add, b: add }
  export default {
    check: (_, { signal }) => underEveryInterleaving({
      checker: import.meta.url,
      names: ['a', 'b'],
      words: 2,
      labels: ['counter', 'lock'],
      signal,
      ${options}
      check: ({ memory, stuck, history }) =>
        stuck.length > 0 ? { says: stuck.join(' and ') + ' sleep for ever' } : memory[0] === 2 ? undefined : { says: 'the counter is ' + memory[0] },
    }),
  }`

async function judged(source: string, options = ''): Promise<{ passed: boolean; fault?: Fault; ms: number }> {
  await using chapter = await chapterWith({
    one: { 'exercise.ts': source, 'gap.ts': 'export function add() {}\n', 'check.ts': check(options) },
  })
  return await judge(chapter.file('one'))
}
const steps = (fault: Fault | undefined) => fault?.history?.map(({ who, what, line }) => `${who}:${line} ${what}`)

describe('planted races', () => {
  it('are found with the shortest history and its lines', async () => {
    const { fault } = await judged(`
      export function add(memory: Int32Array) {
        const found = Atomics.load(memory, 0)
        Atomics.store(memory, 0, found + 1)
      }`)
    expect(fault?.says).toBe('the counter is 1')
    expect(steps(fault)).toEqual([
      'a:3 load counter: 0',
      'b:3 load counter: 0',
      'b:4 store counter 1',
      'a:4 store counter 1',
    ])
  })

  it('are found in a lock that looks before it takes', async () => {
    const { fault } = await judged(`
      export function add(memory: Int32Array, note: (text: string) => void) {
        while (Atomics.load(memory, 1) !== 0) Atomics.wait(memory, 1, 1)
        Atomics.store(memory, 1, 1)
        const found = Atomics.load(memory, 0)
        Atomics.store(memory, 0, found + 1)
        Atomics.store(memory, 1, 0)
        Atomics.notify(memory, 1, 1)
      }`)
    expect(fault?.says).toBe('the counter is 1')
    expect(fault?.history?.length).toBeLessThanOrEqual(12)
  })

  it('are found where a wake-up is forgotten', async () => {
    const { fault } = await judged(`
      export function add(memory: Int32Array) {
        while (Atomics.compareExchange(memory, 1, 0, 1) !== 0) Atomics.wait(memory, 1, 1)
        Atomics.add(memory, 0, 1)
        Atomics.store(memory, 1, 0)
      }`)
    expect(fault?.says).toBe('b sleep for ever')
    expect(fault?.history?.at(-1)).toMatchObject({ who: expect.any(String) })
  })
})

describe('correct programs', () => {
  it.each([
    ['an addition', 'Atomics.add(memory, 0, 1)'],
    [
      'a lock that sleeps',
      `while (Atomics.compareExchange(memory, 1, 0, 1) !== 0) Atomics.wait(memory, 1, 1)
       const found = Atomics.load(memory, 0)
       Atomics.store(memory, 0, found + 1)
       Atomics.store(memory, 1, 0)
       Atomics.notify(memory, 1, 1)`,
    ],
    [
      'a lock that sleeps for a while at most',
      `while (Atomics.compareExchange(memory, 1, 0, 1) !== 0) Atomics.wait(memory, 1, 1, 10)
       Atomics.store(memory, 0, Atomics.load(memory, 0) + 1)
       Atomics.store(memory, 1, 0)
       Atomics.notify(memory, 1, 1)`,
    ],
    [
      'an optimistic loop',
      `for (;;) {
         const found = Atomics.load(memory, 0)
         if (Atomics.compareExchange(memory, 0, found, found + 1) === found) return
       }`,
    ],
  ])('raise no alarm: %s', async (_, body) => {
    const { passed, fault } = await judged(`export function add(memory: Int32Array) {\n${body}\n}`)
    expect(fault).toBeUndefined()
    expect(passed).toBe(true)
  })

  it('may look again after a time-out if the exercise allows it', async () => {
    const source = `export function add(memory: Int32Array) {
      while (Atomics.compareExchange(memory, 1, 0, 1) !== 0)
        Atomics.wait(memory, 1, 1, 10)
      Atomics.store(memory, 0, Atomics.load(memory, 0) + 1)
      Atomics.store(memory, 1, 0)
    }`
    expect((await judged(source)).fault).toMatchObject({
      says: expect.stringMatching(/^[ab] is woken by nobody: it sleeps until its time-out\.$/),
      line: 3,
    })
    expect((await judged(source, 'maySpin: true,')).passed).toBe(true)
  })

  it('may spin if the exercise allows it', async () => {
    const source = `export function add(memory: Int32Array) {
      while (Atomics.compareExchange(memory, 1, 0, 1) !== 0);
      Atomics.store(memory, 0, Atomics.load(memory, 0) + 1)
      Atomics.store(memory, 1, 0)
    }`
    expect((await judged(source)).fault).toMatchObject({
      says: expect.stringMatching(/^[ab] spins: it asks again and again instead of sleeping\.$/),
      line: 2,
    })
    expect((await judged(source, 'maySpin: true,')).passed).toBe(true)
  })
})

describe('a thread', () => {
  it('that asks for two words in turn spins as well, and is caught soon', async () => {
    const { fault } = await judged(`
      export function add(memory: Int32Array) {
        while (Atomics.compareExchange(memory, 1, 0, 1) !== 0)
          if (Atomics.load(memory, 0) > 5) return
        Atomics.store(memory, 0, Atomics.load(memory, 0) + 1)
        Atomics.store(memory, 1, 0)
      }`)
    expect(fault?.says).toMatch(/^[ab] spins: it asks again and again instead of sleeping\.$/)
    expect([3, 4]).toContain(fault?.line)
  })

  it('may take a lock that is free several times, and its answers are the same each time', async () => {
    const source = `export function add(memory: Int32Array) {
      for (let round = 0; round < 4; round++) {
        while (Atomics.compareExchange(memory, 1, 0, 1) !== 0) Atomics.wait(memory, 1, 1)
        Atomics.store(memory, 1, 0)
        Atomics.notify(memory, 1, 1)
      }
      Atomics.add(memory, 0, 1)
    }`
    expect((await judged(source, 'mostRuns: 50,')).fault).toBeUndefined()
  })

  it.each([
    ['reads', 'if (memory[0] === 7) return'],
    ['writes', 'memory[0] = 1'],
  ])('that %s a word without Atomics is a fault, with its line', async (what, line) => {
    const { fault } = await judged(`
      export function add(memory: Int32Array) {
        ${line}
        Atomics.add(memory, 0, 1)
      }`)
    expect(fault).toMatchObject({ says: `a ${what} counter without Atomics.`, line: 3 })
  })

  it('that throws is a fault, with its line', async () => {
    const { fault } = await judged(
      'export function add(memory: Int32Array) {\n  Atomics.load(memory, 0)\n  throw new Error("oh")\n}',
    )
    expect(fault).toMatchObject({ says: 'a throws: oh', line: 3 })
  })

  it('that loops without an operation is a fault', async () => {
    const { fault } = await judged(
      'export function add(memory: Int32Array) {\n  Atomics.load(memory, 0)\n  for (;;);\n}',
    )
    expect(fault?.says).toBe('a does not end, and does nothing that another thread could see.')
  })

  it('that loops before its first operation is a fault', async () => {
    const { fault } = await judged('export function add(memory: Int32Array) {\n  let done = false\n  while (!done);\n}')
    expect(fault?.says).toBe('a does not end, and does nothing that another thread could see.')
  })

  it('that goes on for ever with different operations is a fault', async () => {
    const { fault } = await judged(
      'export function add(memory: Int32Array) {\n  for (let at = 0; ; at++) Atomics.store(memory, 1, at)\n}',
    )
    expect(fault?.says).toMatch(/^The threads do not end\.$|spins/)
  })

  it('may leave its operations at other memory alone', async () => {
    const source = `export function add(memory: Int32Array) {
      const own = new Int32Array(new SharedArrayBuffer(4))
      for (let at = 0; at < 1000; at++) Atomics.add(own, 0, 1)
      if (Atomics.load(own, 0) !== 1000) throw new Error('lost')
      Atomics.add(memory, 0, 1)
    }`
    expect(await judged(source)).toMatchObject({ passed: true })
  })
})
